//! The HTTP server: one thread, one single-threaded runtime, hyper on each connection. Every resource that a client can hold is
//! bounded here; what is over a bound is closed.

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::LocalSet;

/// Connections at a time; more are closed at once.
pub const MAX_CONNECTIONS: usize = 64;
/// Bytes of a request's head.
pub const MAX_HEAD_BYTES: usize = 16 * 1024;
/// Header lines of a request.
pub const MAX_HEADERS: usize = 64;
/// How long a client may take to send a request's head.
pub const HEAD_TIME: Duration = Duration::from_secs(5);
/// How long a connection may live: monitoring simply opens the next one.
pub const CONNECTION_TIME: Duration = Duration::from_secs(60);
/// How long a connection that has lived that long may take to end its last answer.
pub const LAST_ANSWER_TIME: Duration = Duration::from_secs(5);

/// A request as the pages see it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The method.
    pub method: Method,
    /// The path, not decoded.
    pub path: String,
    /// What follows the question mark.
    pub query: String,
    /// Who asks.
    pub from: SocketAddr,
    /// Whether the request carries a header that browsers add when a page of another site sends it.
    pub from_a_page: bool,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The content type.
    pub kind: &'static str,
    /// The body.
    pub body: Vec<u8>,
}

/// What answers requests.
pub trait Pages: Send + 'static {
    /// Answers one request.
    fn answer(&self, asked: Asked) -> Pin<Box<dyn Future<Output = Answer> + '_>>;
}

/// The running server; dropping it ends the thread.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Serves `pages` on a thread of its own.
///
/// # Errors
/// When the address cannot be bound or the thread not started.
pub fn serve(address: SocketAddr, pages: impl Pages) -> io::Result<Server> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (stop, stopped) = oneshot::channel();
    let thread = std::thread::Builder::new().name("agw-admin".to_owned()).spawn(move || {
        let tasks = LocalSet::new();
        let accepting = accept(listener, Rc::new(pages));
        runtime.block_on(tasks.run_until(async {
            tokio::select! {
                _ = stopped => {}
                result = accepting => if let Err(error) = result {
                    tracing::error!(%error, "admin HTTP has ended");
                }
            }
        }));
    })?;
    Ok(Server { address, stop: Some(stop), thread: Some(thread) })
}

async fn accept<P: Pages>(listener: TcpListener, pages: Rc<P>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, or the client is gone already: neither is for ever.
                tracing::warn!(%error, "admin HTTP could not accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
            tracing::warn!(limit = MAX_CONNECTIONS, "admin HTTP has too many connections, one was closed");
            continue;
        };
        let pages = Rc::clone(&pages);
        tokio::task::spawn_local(async move {
            connection(stream, from, pages).await;
            drop(place);
        });
    }
}

async fn connection<P: Pages>(stream: tokio::net::TcpStream, from: SocketAddr, pages: Rc<P>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let pages = Rc::clone(&pages);
        async move {
            let answer = pages.answer(asked(&request, from)).await;
            Ok::<_, Infallible>(response(answer))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        result = &mut connection => {
            if let Err(error) = result {
                tracing::debug!(%from, %error, "an admin connection has failed");
            }
            return;
        }
        () = tokio::time::sleep(CONNECTION_TIME) => connection.as_mut().graceful_shutdown(),
    }
    let _ = tokio::time::timeout(LAST_ANSWER_TIME, connection).await;
}

fn asked(request: &Request<Incoming>, from: SocketAddr) -> Asked {
    let headers = request.headers();
    Asked {
        method: request.method().clone(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        from,
        from_a_page: headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site"),
    }
}

fn response(answer: Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(answer.kind));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::time::Instant;

    struct Hello;

    impl Pages for Hello {
        fn answer(&self, asked: Asked) -> Pin<Box<dyn Future<Output = Answer> + '_>> {
            Box::pin(async move {
                Answer { status: StatusCode::OK, kind: "text/plain", body: asked.path.into_bytes() }
            })
        }
    }

    fn server() -> Server {
        serve(SocketAddr::from(([127, 0, 0, 1], 0)), Hello).unwrap()
    }

    fn ask(server: &Server, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(request).unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    }

    #[test]
    fn a_page_is_answered() {
        let answer = ask(&server(), b"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\n/hello"), "{answer}");
    }

    #[test]
    fn a_huge_head_is_refused() {
        let mut request = b"GET / HTTP/1.1\r\nHost: x\r\nX: ".to_vec();
        request.resize(MAX_HEAD_BYTES * 2, b'a');
        request.extend_from_slice(b"\r\n\r\n");
        assert!(!ask(&server(), &request).contains("200 OK"));
        let mut many = b"GET / HTTP/1.1\r\nHost: x\r\n".to_vec();
        many.extend((0..MAX_HEADERS + 1).flat_map(|n| format!("x{n}: 1\r\n").into_bytes()));
        many.extend_from_slice(b"\r\n");
        assert!(!ask(&server(), &many).contains("200 OK"));
    }

    #[test]
    fn clients_that_stall_do_not_stall_others_and_are_closed() {
        let server = server();
        let began = Instant::now();
        let mut slow: Vec<TcpStream> =
            (0..MAX_CONNECTIONS - 1).map(|_| TcpStream::connect(server.address).unwrap()).collect();
        for stream in &mut slow {
            stream.write_all(b"GET / HTTP/1.1\r\nHo").unwrap();
        }
        let answer = ask(&server, b"GET /still HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        assert!(answer.ends_with("/still"), "{answer}");
        assert!(began.elapsed() < HEAD_TIME, "the answer waited for the slow ones");
        let mut rest = Vec::new();
        slow[0].set_read_timeout(Some(HEAD_TIME * 3)).unwrap();
        let ended = slow[0].read_to_end(&mut rest);
        assert!(ended.is_ok() || began.elapsed() < HEAD_TIME * 3, "a slow client was never closed");
    }
}
