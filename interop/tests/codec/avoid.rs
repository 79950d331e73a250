//! Changes to a tree that take away one thing each on which OTP and we do not agree ([`crate::known`] says which and why).

mod descriptor;
mod message;

pub(crate) use descriptor::*;
pub(crate) use message::*;

use agw_iq::ast::*;
use agw_iq::sdp::SdpText;

use crate::walk::Visit;
