//! Who may ask at the TCP port: programs, and pages of this very port, but no page of another site that has a browser ask, directly or
//! by a name that it has let point here (DNS rebinding). Pure.

use std::net::IpAddr;

/// The names by which the port may be spoken to, besides addresses and `localhost`.
#[derive(Clone, Debug, Default)]
pub struct Guests {
    names: Vec<String>,
}

/// What a request says of itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Introduction<'a> {
    /// `Host`.
    pub host: Option<&'a str>,
    /// `Origin`.
    pub origin: Option<&'a str>,
    /// `Sec-Fetch-Site`.
    pub fetch_site: Option<&'a str>,
    /// `Sec-Fetch-Mode`.
    pub fetch_mode: Option<&'a str>,
}

impl Guests {
    /// With these names; letter case is nothing to a name.
    #[must_use]
    pub fn new(names: &[String]) -> Self {
        Self { names: names.iter().map(|name| name.to_ascii_lowercase()).collect() }
    }

    /// Why a request is turned away.
    ///
    /// # Errors
    /// A sentence that names the header.
    pub fn check(&self, request: &Introduction<'_>) -> Result<(), &'static str> {
        // A name that anybody can own could be let point here by its owner; an address cannot, and neither can `localhost`.
        if !request.host.is_some_and(|host| self.is_ours(host)) {
            return Err("the Host header must be an address, localhost, or one of options.admin.hosts");
        }
        if let Some(origin) = request.origin {
            let of = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
            if of.is_none() || of != request.host {
                return Err("the Origin header must be that of this port");
            }
        }
        // To follow a link is harmless, as nothing can be changed here and no frame may show it.
        let is_foreign = matches!(request.fetch_site, Some("cross-site" | "same-site"));
        if is_foreign && request.fetch_mode != Some("navigate") {
            return Err("pages of other sites may not ask here");
        }
        Ok(())
    }

    fn is_ours(&self, host: &str) -> bool {
        let name = name_of(host).to_ascii_lowercase();
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(&name);
        bare.parse::<IpAddr>().is_ok() || bare == "localhost" || self.names.iter().any(|known| known == bare)
    }
}

/// A host without its port.
fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|byte| byte.is_ascii_digit()) && (name.ends_with(']') || !name.contains(':')) =>
        {
            name
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(host: &str) -> bool {
        let guests = Guests::new(&["Metrics.Example".to_owned()]);
        guests.check(&Introduction { host: Some(host), ..Introduction::default() }).is_ok()
    }

    #[test]
    fn addresses_localhost_and_the_names_that_were_given_are_ours() {
        for host in
            ["127.0.0.1:9000", "10.1.2.3", "[::1]:9000", "[::1]", "localhost", "LOCALHOST:1", "metrics.example:9"]
        {
            assert!(allowed(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "127.0.0.1.evil.example:80",
            "localhost.evil.example",
            ":80",
            "[evil]",
            "evil:x",
            "metrics.example.",
        ] {
            assert!(!allowed(host), "{host}");
        }
        assert!(Guests::default().check(&Introduction::default()).is_err());
    }

    #[test]
    fn pages_of_other_sites_are_turned_away_and_links_are_not() {
        let guests = Guests::default();
        let request = Introduction { host: Some("127.0.0.1:90"), ..Introduction::default() };
        for origin in ["null", "http://evil.example", "http://127.0.0.1:91", "file://", "127.0.0.1:90"] {
            assert!(guests.check(&Introduction { origin: Some(origin), ..request }).is_err(), "{origin}");
        }
        assert!(guests.check(&Introduction { origin: Some("http://127.0.0.1:90"), ..request }).is_ok());
        let foreign = Introduction { fetch_site: Some("cross-site"), fetch_mode: Some("no-cors"), ..request };
        assert!(guests.check(&foreign).is_err());
        assert!(guests.check(&Introduction { fetch_mode: Some("navigate"), ..foreign }).is_ok());
        assert!(guests.check(&Introduction { fetch_site: Some("same-origin"), ..foreign }).is_ok());
    }
}
