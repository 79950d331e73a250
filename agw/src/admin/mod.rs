//! Admin HTTP: health, metrics and what the gateway is doing, for people, scripts and monitoring. [`server`] serves HTTP/1.1 on a
//! thread of its own, with bounds on connections, headers and time, so a stalled client stalls nobody; [`routes`] knows the
//! pages; what only the control task knows is asked of it by [`ask`], a page at a time, so a list of 100,000 contexts is
//! never copied at once. [`client`] and [`tables`] are the other end: `agw status` and its sisters.

pub mod ask;
pub mod client;
pub mod routes;
pub mod server;
pub mod tables;
pub mod views;
