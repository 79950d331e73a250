//! ServiceChange: the parameters of requests and of replies.

use super::*;
use crate::ber::value::write_text;

impl Printer<'_> {
    /// `ServiceChangeParm`
    pub(super) fn service_change_request(self, w: &mut Writer, tag: u8, request: &ServiceChangeRequest) {
        let method: u8 = match &request.method {
            ServiceChangeMethod::Failover => 0,
            ServiceChangeMethod::Forced => 1,
            ServiceChangeMethod::Graceful => 2,
            ServiceChangeMethod::Restart => 3,
            ServiceChangeMethod::Disconnected => 4,
            ServiceChangeMethod::HandOff => 5,
            ServiceChangeMethod::Extension(name) => {
                return w.unsayable(format_args!("ServiceChange method {name}"));
            }
        };
        w.nest(tag, |w| {
            w.uint(primitive(0), method);
            address(w, 1, &request.address);
            w.uint_if(primitive(2), request.version);
            profile(w, 3, &request.profile);
            w.nest(constructed(4), |w| w.nest(OCTET_STRING, |w| write_text(w, &request.reason)));
            w.uint_if(primitive(5), request.delay);
            if let Some(id) = &request.mgc_id {
                w.nest(constructed(6), |w| mid(w, id, 0));
            }
            if let Some(time) = &request.timestamp {
                timestamp(w, constructed(7), time);
            }
            extension(w, 8, &request.extensions);
            if let Some(item) = &request.info {
                self.audit(w, constructed(9), &AuditDescriptor { items: vec![item.clone()] });
            }
            w.null_if(primitive(10), request.incomplete);
        });
    }
}

/// `ServiceChangeResParm`
pub(super) fn reply(w: &mut Writer, tag: u8, reply: &ServiceChangeReply) {
    w.nest(tag, |w| {
        if let Some(id) = &reply.mgc_id {
            w.nest(constructed(0), |w| mid(w, id, 0));
        }
        address(w, 1, &reply.address);
        w.uint_if(primitive(2), reply.version);
        profile(w, 3, &reply.profile);
        if let Some(time) = &reply.timestamp {
            timestamp(w, constructed(4), time);
        }
    });
}

fn address(w: &mut Writer, number: u8, address: &Option<ServiceChangeAddress>) {
    match address {
        None => {}
        Some(ServiceChangeAddress::Port(port)) => {
            w.nest(constructed(number), |w| w.uint(primitive(0), *port));
        }
        Some(ServiceChangeAddress::Mid(id)) => w.nest(constructed(number), |w| mid(w, id, 1)),
    }
}

fn profile(w: &mut Writer, number: u8, profile: &Option<Profile>) {
    if let Some(Profile { name, version }) = profile {
        w.nest(constructed(number), |w| w.ia5(primitive(0), &format!("{name}/{version}")));
    }
}

/// `NonStandardData`: there is room for one extension with one value.
fn extension(w: &mut Writer, number: u8, extensions: &[Parm]) {
    match extensions {
        [] => {}
        [Parm { name, value: ParmValue::One(value) }] => w.nest(constructed(number), |w| {
            w.nest(constructed(0), |w| w.ia5(primitive(2), &format!("{:8}", name.as_str())));
            w.nest(primitive(1), |w| Type::Unknown.write_inside(w, value));
        }),
        _ => w.unsayable("several extensions of a ServiceChange, or values of one"),
    }
}
