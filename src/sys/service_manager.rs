//! A word to the service manager (systemd) that has started this process: which process is the main one from now on.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use super::SysError;

/// Says that another process is the main one of this service (`sd_notify(3)`: `MAINPID=`). `socket` is the value of `NOTIFY_SOCKET`: a path, or
/// an abstract name behind an `@`. Whether the manager listens to this process is its own affair (`NotifyAccess=`).
///
/// # Errors
/// When there is no such socket.
pub fn tell_main_pid(socket: &OsStr, pid: u32) -> Result<(), SysError> {
    let named = |error: std::io::Error| SysError::from_io("sendto", &error);
    let address = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => abstract_address(name),
        None => SocketAddr::from_pathname(socket),
    };
    let sender = UnixDatagram::unbound().map_err(named)?;
    // A manager that reads nothing must not hold us up.
    sender.set_nonblocking(true).map_err(named)?;
    sender.send_to_addr(format!("MAINPID={pid}\n").as_bytes(), &address.map_err(named)?).map_err(named).map(drop)
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
            tell_main_pid(named, 4711).unwrap();
            let mut buffer = [0; 64];
            let bytes = manager.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..bytes], b"MAINPID=4711\n");
        }
        assert!(tell_main_pid(OsStr::new("/there/is/none"), 1).is_err());
    }
}
