//! Changes to a tree that take away one thing each on which OTP and we do not agree ([`crate::known`] says which and why).

mod binary;
mod descriptor;
mod message;

pub(crate) use binary::*;
pub(crate) use descriptor::*;
pub(crate) use message::*;

use agw_iq::ast::*;
use agw_iq::sdp::SdpText;

use crate::walk::Visit;
