//! Looks up the names of controllers with the system's resolver. That blocks, so it runs on threads of its own: a bounded number of them at
//! a time, each answered for after a bounded time whatever the resolver does.

use super::connections::Happening;
use super::endpoints::Addresses;
use agw_iq::MAX_ADDRESSES_OF_A_NAME;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};

/// Names that are looked up at a time. One that the resolver does not answer keeps its place until it does.
const MAX_LOOKUPS: usize = 4;
/// How long an answer is waited for, a place to ask included.
const LOOKUP_TIME: Duration = Duration::from_secs(5);
/// Addresses that are read of one answer; some may be of an IP version that we do not speak.
const MAX_ADDRESSES_READ: usize = 8 * MAX_ADDRESSES_OF_A_NAME;

/// What looks names up.
#[derive(Debug)]
pub(super) struct Lookups {
    places: Arc<Semaphore>,
    happenings: mpsc::Sender<Happening>,
    /// The IP versions that Iq listens on, and so can reach.
    versions: Versions,
}

#[derive(Debug, Clone, Copy)]
struct Versions {
    v4: bool,
    v6: bool,
}

impl Lookups {
    pub(super) fn new(addresses: &Addresses, happenings: mpsc::Sender<Happening>) -> Self {
        let versions = Versions {
            v4: addresses.named().any(|(_, address)| address.is_ipv4()),
            v6: addresses.named().any(|(_, address)| address.is_ipv6()),
        };
        Self { places: Arc::new(Semaphore::new(MAX_LOOKUPS)), happenings, versions }
    }

    /// Looks a name up and tells what came of it.
    pub(super) fn look_up(&self, name: String) {
        let (places, happenings, versions) =
            (Arc::clone(&self.places), self.happenings.clone(), self.versions);
        tokio::task::spawn_local(async move {
            let found = tokio::time::timeout(LOOKUP_TIME, addresses_of(name.clone(), places, versions)).await;
            let found = found.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            let _ = happenings.send(Happening::Resolved(name, found)).await;
        });
    }
}

async fn addresses_of(name: String, places: Arc<Semaphore>, versions: Versions) -> io::Result<Vec<IpAddr>> {
    let place = places.acquire_owned().await.map_err(io::Error::other)?;
    let asked = tokio::task::spawn_blocking(move || {
        // Kept by the thread: nobody can take a question back from the resolver.
        let _place = place;
        let found = (name.as_str(), 0).to_socket_addrs()?;
        io::Result::Ok(found.take(MAX_ADDRESSES_READ).map(|address| address.ip()).collect())
    });
    usable(asked.await.map_err(io::Error::other)??, versions)
}

/// The addresses of the versions that we speak.
fn usable(found: Vec<IpAddr>, versions: Versions) -> io::Result<Vec<IpAddr>> {
    let speaks = |address: &IpAddr| if address.is_ipv4() { versions.v4 } else { versions.v6 };
    let usable: Vec<IpAddr> = found.into_iter().filter(speaks).collect();
    if usable.is_empty() {
        return Err(io::Error::other("it has no address of an IP version that Iq listens on"));
    }
    Ok(usable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_can_be_reached_from_where_we_listen_are_used() {
        let found: Vec<IpAddr> = ["::1", "127.0.0.1"].map(|text| text.parse().unwrap()).to_vec();
        let only_4 = usable(found.clone(), Versions { v4: true, v6: false }).unwrap();
        assert_eq!(only_4, found[1..]);
        assert_eq!(usable(found.clone(), Versions { v4: true, v6: true }).unwrap(), found);
        assert!(usable(only_4, Versions { v4: false, v6: true }).is_err());
    }
}
