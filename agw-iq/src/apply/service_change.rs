//! ServiceChange from the controller (H.248.1 sections 7.2.8 and 11.5).
//!
//! Of terminations: Forced takes them out of service at once, Graceful after its delay, or, without one, when they are subtracted; Restart
//! brings them back, after its delay. One that is out passes no media and stays in its context until it is subtracted; its mode, keys
//! and statistics stay, so that it comes back as it was. Of ROOT: Graceful refuses new contexts and takes what is left out of service after
//! its delay, Forced subtracts everything at once, for the controller counts all connections as lost, and Restart opens again. HandOff
//! sends the gateway to another controller. Disconnected and Failover are words of the gateway alone.

use super::service::RootService;
use super::*;
use std::time::Duration;

/// When a change that the workers had no room for is tried again.
const AGAIN: Duration = Duration::from_millis(100);

fn not_of_a_controller(method: &str) -> ErrorDescriptor {
    let text = format!("ServiceChangeMethod {method} from the controller");
    ErrorDescriptor::with_text(ErrorCode::NOT_IMPLEMENTED, text)
}

/// ServiceChangeDelay; absent and 0 are the same.
fn delay(request: &ServiceChangeRequest) -> Option<Duration> {
    request.delay.filter(|delay| *delay > 0).map(|delay| Duration::from_secs(delay.into()))
}

impl Executor {
    /// ServiceChange of ROOT, but for the terminations that it concerns. `true`: there are none, it is done.
    pub(super) fn change_root(
        &mut self,
        now: Now,
        request: &ServiceChangeRequest,
        e: &mut Execution,
    ) -> Result<bool, ErrorDescriptor> {
        let mut concerned = None;
        match (&request.method, delay(request)) {
            (ServiceChangeMethod::HandOff, _) => {
                if request.address.is_some() && request.mgc_id.is_some() {
                    // Section 7.2.8: never both.
                    let text = "ServiceChangeAddress and MgcIdToTry";
                    return Err(ErrorDescriptor::with_text(ErrorCode::CONFLICTING_VALUES, text));
                }
                e.hand_off = Some(HandOff { to: request.mgc_id.clone(), address: request.address.clone() });
            }
            (ServiceChangeMethod::Graceful, delay) => {
                self.service.root = RootService::Closing;
                self.service.root_change = delay.map(|delay| (now + delay, RootService::OutOfService));
            }
            (ServiceChangeMethod::Forced, _) => {
                (self.service.root, self.service.root_change) = (RootService::OutOfService, None);
                concerned = Some(self.terminations(|_| true));
            }
            (ServiceChangeMethod::Restart, Some(delay)) => {
                self.service.root_change = Some((now + delay, RootService::InService));
            }
            (ServiceChangeMethod::Restart, None) => {
                (self.service.root, self.service.root_change) = (RootService::InService, None);
                concerned = Some(self.terminations(|found| found.out_of_service));
            }
            (ServiceChangeMethod::Disconnected, _) => return Err(not_of_a_controller("Disconnected")),
            (ServiceChangeMethod::Failover, _) => return Err(not_of_a_controller("Failover")),
            (ServiceChangeMethod::Extension(name), _) => return Err(not_of_a_controller(name.as_str())),
        }
        let result = match request.version.filter(|_| request.method == ServiceChangeMethod::Restart) {
            None => ServiceChangeResult::Accepted,
            Some(offered) => {
                let version = Some(offered.min(2));
                ServiceChangeResult::Parms(Box::new(ServiceChangeReply { version, ..Default::default() }))
            }
        };
        let place = e.reply(e.context(), TerminationId::Root, CommandResult::ServiceChange(result));
        let Some(concerned) = concerned else { return Ok(true) };
        (e.union, e.targets) = (Some(place), Some(concerned.into()));
        Ok(false)
    }

    fn terminations(&self, which: impl Fn(&view::Termination) -> bool) -> Vec<model::TerminationId> {
        let found = self.view.terminations.iter().filter(|(_, termination)| which(termination));
        found.map(|(id, _)| model::TerminationId(*id)).collect()
    }

    /// ServiceChange of one termination, or what one of ROOT means for it.
    pub(super) fn change_service(
        &mut self,
        now: Now,
        id: model::TerminationId,
        of_root: bool,
        request: &ServiceChangeRequest,
        e: &mut Execution,
        gateway: &mut dyn Gateway,
    ) -> Result<Answer, Stop> {
        match (&request.method, delay(request)) {
            (ServiceChangeMethod::Forced, _) if of_root => {
                self.take_out(id, e, gateway)?;
            }
            (ServiceChangeMethod::Forced, _) => self.put(id, true, e, gateway)?,
            (ServiceChangeMethod::Restart, None) => self.put(id, false, e, gateway)?,
            (ServiceChangeMethod::Restart, Some(delay)) => self.put_later(id, now + delay, false),
            (ServiceChangeMethod::Graceful, Some(delay)) => self.put_later(id, now + delay, true),
            // It goes out of service with its Subtract, after which it is no more.
            (ServiceChangeMethod::Graceful, None) => {}
            (ServiceChangeMethod::HandOff, _) => {
                let text = "HandOff concerns ROOT";
                return Err(ErrorDescriptor::with_text(ErrorCode::COMMAND_NOT_ALLOWED, text).into());
            }
            (ServiceChangeMethod::Disconnected, _) => return Err(not_of_a_controller("Disconnected").into()),
            (ServiceChangeMethod::Failover, _) => return Err(not_of_a_controller("Failover").into()),
            (ServiceChangeMethod::Extension(name), _) => {
                return Err(not_of_a_controller(name.as_str()).into());
            }
        }
        Ok(Answer::default())
    }

    fn put_later(&mut self, id: model::TerminationId, at: Now, out: bool) {
        let Some(termination) = self.view.termination_mut(id) else { return };
        let before = termination.service_change.replace((at, out));
        if let Some((before, _)) = before {
            self.service.unschedule(before, id);
        }
        self.service.schedule(at, id);
    }

    fn put(
        &mut self,
        id: model::TerminationId,
        out: bool,
        e: &mut Execution,
        gateway: &mut dyn Gateway,
    ) -> Result<(), Stop> {
        match self.switch(id, out, gateway) {
            Ok(ticket) => {
                ticket.into_iter().for_each(|ticket| e.note(ticket));
                Ok(())
            }
            Err(refused) if refusal::passes(&refused) => Err(Stop::Blocked),
            Err(refused) => Err(refused.into()),
        }
    }

    /// Stops or starts the media of a termination.
    fn switch(
        &mut self,
        id: model::TerminationId,
        out: bool,
        gateway: &mut dyn Gateway,
    ) -> Result<Option<Ticket>, Refusal> {
        let Some(termination) = self.view.termination_mut(id) else { return Ok(None) };
        if let Some((at, _)) = termination.service_change.take() {
            self.service.unschedule(at, id);
        }
        if termination.out_of_service == out {
            return Ok(None);
        }
        let specification = |(number, stream): (&u16, &stream::Stream)| {
            let mode = if out { model::Mode::Inactive } else { stream.spec.mode };
            (model::StreamId(*number), model::StreamSpec { mode, ..stream.spec.clone() })
        };
        let streams = termination.streams.iter().map(specification).collect();
        let reply = gateway.execute(Order::Modify { termination: id, streams })?;
        termination.out_of_service = out;
        Ok(match reply {
            Reply::Termination(_, ticket) | Reply::Accepted(ticket) | Reply::Statistics(ticket) => {
                Some(ticket)
            }
            Reply::Context(_) => None,
        })
    }

    /// Changes that were put off and whose time has come.
    pub(super) fn change_what_is_due(&mut self, now: Now, gateway: &mut dyn Gateway) {
        if let Some(state) = self.service.take_due_root(now) {
            let out = state != RootService::InService;
            for id in self.terminations(|found| found.out_of_service != out) {
                self.put_later(id, now, out);
            }
        }
        while let Some(id) = self.service.take_due(now) {
            let change = self.view.termination(id).and_then(|termination| termination.service_change);
            let Some((_, out)) = change else { continue };
            if self.switch(id, out, gateway).is_err_and(|refused| refusal::passes(&refused)) {
                self.put_later(id, now + AGAIN, out);
            }
        }
    }

    /// Another controller has taken the gateway, or it has begun anew: what the one before ordered of ROOT is over.
    pub(crate) fn open_again(&mut self) {
        (self.service.root, self.service.root_change) = (RootService::InService, None);
    }
}
