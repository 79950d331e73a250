//! Certificates made ahead (TLS-1): each stream with TLS or DTLS has a certificate of its own, whose key pair costs about as much as a
//! handshake. A thread makes them before they are asked for, so that no command waits for one, and sleeps when there are enough: it
//! hands them over through a short queue that control empties only while its stock has room.

use agw_core::controller::MAX_IDENTITIES;
use agw_tls::Identity;
use std::io;
use tokio::sync::mpsc;

/// Certificates that are on their way from the thread to control.
const UNDER_WAY: usize = 16;

/// What control takes certificates from.
#[derive(Debug)]
pub struct Stock {
    made: Option<mpsc::Receiver<Identity>>,
    size: usize,
}

impl Stock {
    /// Starts to make certificates, for a stock of `size`; of 0 none is made ahead. The thread ends when this is dropped.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(size: usize) -> io::Result<Self> {
        let size = size.min(MAX_IDENTITIES);
        if size == 0 {
            return Ok(Self { made: None, size });
        }
        let (sender, made) = mpsc::channel(UNDER_WAY.min(size));
        std::thread::Builder::new().name("agw-certificates".to_owned()).spawn(move || make(&sender))?;
        Ok(Self { made: Some(made), size })
    }

    /// The next certificate, once there is one, for a stock that holds `held`; never while that is full.
    pub async fn next(&mut self, held: usize) -> Identity {
        if held < self.size
            && let Some(made) = &mut self.made
        {
            match made.recv().await {
                Some(identity) => return identity,
                // The thread has given up, and said why; each command makes its own from now on.
                None => self.made = None,
            }
        }
        std::future::pending().await
    }

    /// Those that are there now besides, as many as a stock that holds `held` has room for.
    pub fn more(&mut self, held: usize) -> Vec<Identity> {
        let room = self.size.saturating_sub(held);
        let Some(made) = &mut self.made else { return Vec::new() };
        std::iter::from_fn(|| made.try_recv().ok()).take(room).collect()
    }
}

fn make(to: &mpsc::Sender<Identity>) {
    loop {
        match Identity::generate() {
            // Waits here while the stock is full.
            Ok(identity) => {
                if to.blocking_send(identity).is_err() {
                    return; // Nobody takes them any more.
                }
            }
            Err(error) => {
                tracing::error!(%error, "certificates are not made ahead any more");
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
    }

    #[test]
    fn certificates_come_until_the_stock_is_full_and_again_when_one_was_taken() {
        runtime().block_on(async {
            let mut stock = Stock::start(40).unwrap();
            let mut held = Vec::new();
            while held.len() < 40 {
                held.push(stock.next(held.len()).await);
                held.extend(stock.more(held.len()));
            }
            assert_eq!(held.len(), 40, "never more than the size");
            let short = Duration::from_millis(20);
            assert!(tokio::time::timeout(short, stock.next(40)).await.is_err(), "it is full");
            held.pop();
            let one = stock.next(held.len()).await;
            assert!(held.iter().all(|other| other.certificate() != one.certificate()));
        });
    }

    #[test]
    fn a_stock_of_nothing_makes_nothing() {
        runtime().block_on(async {
            let mut stock = Stock::start(0).unwrap();
            assert!(tokio::time::timeout(Duration::from_millis(20), stock.next(0)).await.is_err());
            assert!(stock.more(0).is_empty());
        });
    }
}
