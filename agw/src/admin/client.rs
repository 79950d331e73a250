//! Asks a running gateway over its admin address, for `agw status` and its sisters. One short connection per question, with a time limit.

use crate::failure::Failure;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer may take.
const TIME: Duration = Duration::from_secs(10);
/// The longest answer that is taken.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// A gateway's admin address and what is needed to ask it.
#[derive(Debug)]
pub struct Admin {
    address: SocketAddr,
    runtime: tokio::runtime::Runtime,
}

impl Admin {
    /// For the gateway at `address`. Nothing is sent yet.
    ///
    /// # Errors
    /// When this process cannot have a runtime.
    pub fn at(address: SocketAddr) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| Failure::because("cannot start", e))?;
        Ok(Self { address, runtime })
    }

    /// Reads a page.
    ///
    /// # Errors
    /// When the gateway cannot be asked or says no.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.ask(Method::GET, path)
    }

    /// Lets the gateway do something.
    ///
    /// # Errors
    /// As [`Admin::get`].
    pub fn post<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.ask(Method::POST, path)
    }

    fn ask<T: DeserializeOwned>(&self, method: Method, path: &str) -> Result<T, Failure> {
        let (status, body) = self.runtime.block_on(async {
            timeout(TIME, exchange(self.address, method, path))
                .await
                .unwrap_or_else(|_| Err("no answer in time".to_owned()))
                .map_err(|why| Failure::because(format!("the gateway at http://{}", self.address), why))
        })?;
        if !status.is_success() {
            let text = String::from_utf8_lossy(&body);
            let why = serde_json::from_slice::<serde_json::Value>(&body)
                .ok()
                .and_then(|v| v.get("error").and_then(|e| e.as_str().map(str::to_owned)))
                .unwrap_or_else(|| text.lines().next().unwrap_or_default().to_owned());
            return Err(Failure::Failed(if why.is_empty() { status.to_string() } else { why }));
        }
        serde_json::from_slice(&body)
            .map_err(|e| Failure::because(format!("{}{path} is not what was expected", self.address), e))
    }
}

async fn exchange(address: SocketAddr, method: Method, path: &str) -> Result<(StatusCode, Bytes), String> {
    let stream =
        TcpStream::connect(address).await.map_err(|e| format!("{e} (is it running? --admin says where)"))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, address.to_string())
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|e| e.to_string())?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(|e| e.to_string())?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES)
            .collect()
            .await
            .map_err(|e| e.to_string())?;
        Ok((status, body.to_bytes()))
    };
    tokio::pin!(answer);
    tokio::select! {
        biased;
        answered = &mut answer => answered,
        ended = connection => match ended {
            // The connection has ended, but the answer may have come with it.
            Ok(()) => answer.await,
            Err(e) => Err(e.to_string()),
        },
    }
}
