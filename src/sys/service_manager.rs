//! A word to the service manager (systemd) that has started this process: how the service is, and which process is the main one.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use super::SysError;

/// What a service manager can be told (`sd_notify(3)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notification {
    /// The service is started.
    Ready,
    /// The service is about to stop.
    Stopping,
    /// Another process is the main one of this service.
    MainPid(u32),
}

/// Tells it. `socket` is the value of `NOTIFY_SOCKET`: a path, or an abstract name behind an `@`. Whether the manager listens to this
/// process is its own affair (`NotifyAccess=`).
///
/// # Errors
/// When there is no such socket.
pub fn notify(socket: &OsStr, notification: Notification) -> Result<(), SysError> {
    let named = |error: std::io::Error| SysError::from_io("sendto", &error);
    let address = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => abstract_address(name),
        None => SocketAddr::from_pathname(socket),
    };
    let sender = UnixDatagram::unbound().map_err(named)?;
    // A manager that reads nothing must not hold us up.
    sender.set_nonblocking(true).map_err(named)?;
    let text = match notification {
        Notification::Ready => "READY=1\n".to_owned(),
        Notification::Stopping => "STOPPING=1\n".to_owned(),
        Notification::MainPid(pid) => format!("MAINPID={pid}\n"),
    };
    sender.send_to_addr(text.as_bytes(), &address.map_err(named)?).map_err(named).map(drop)
}

#[cfg(target_os = "linux")]
fn abstract_address(name: &[u8]) -> std::io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    SocketAddr::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn abstract_address(_: &[u8]) -> std::io::Result<SocketAddr> {
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manager_is_told_at_a_path_or_an_abstract_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("egg-clutch-notify-{}", std::process::id());
        let sockets = [
            (UnixDatagram::bind(&path).unwrap(), path.clone().into_os_string()),
            (UnixDatagram::bind_addr(&abstract_address(name.as_bytes()).unwrap()).unwrap(), format!("@{name}").into()),
        ];
        for (manager, named) in &sockets {
            for (notification, text) in [
                (Notification::Ready, "READY=1\n"),
                (Notification::MainPid(4711), "MAINPID=4711\n"),
                (Notification::Stopping, "STOPPING=1\n"),
            ] {
                notify(named, notification).unwrap();
                let mut buffer = [0; 64];
                let bytes = manager.recv(&mut buffer).unwrap();
                assert_eq!(&buffer[..bytes], text.as_bytes());
            }
        }
        assert!(notify(OsStr::new("/there/is/none"), Notification::Ready).is_err());
    }
}
