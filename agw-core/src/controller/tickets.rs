//! The numbers of orders and what they are owed. Orders of all workers are numbered in one sequence; a number is done when it and all
//! before it have been answered, whichever worker was slow. The last number of a command is the command's ticket. A command that
//! needed no order gets a number of its own, done at once, so that every ticket is followed by word of its being done.

use crate::command::Ticket;
use std::collections::VecDeque;

/// How many numbers may be waiting: beyond it, one worker is so far behind that new commands are refused.
pub(super) const MAX_UNCONFIRMED_ORDERS: usize = 1 << 16;

#[derive(Debug, Clone, Copy)]
struct Unconfirmed {
    answered: bool,
    ends_command: bool,
}

/// All numbers that are given out and not done.
#[derive(Debug)]
pub(super) struct Tickets {
    /// The number of `waiting`'s first.
    first: u64,
    waiting: VecDeque<Unconfirmed>,
    /// The last command that is done, and has not been told.
    untold: Option<Ticket>,
    command_started: u64,
}

impl Tickets {
    pub(super) fn new() -> Self {
        Self { first: 1, waiting: VecDeque::new(), untold: None, command_started: 1 }
    }

    /// Whether `orders` more can be numbered.
    pub(super) fn has_room(&self, orders: usize) -> bool {
        self.waiting.len() + orders < MAX_UNCONFIRMED_ORDERS
    }

    pub(super) fn unconfirmed(&self) -> usize {
        self.waiting.len()
    }

    /// The next order's number.
    pub(super) fn number(&mut self) -> Ticket {
        self.waiting.push_back(Unconfirmed { answered: false, ends_command: false });
        Ticket(self.next() - 1)
    }

    /// The ticket of the command whose orders have been numbered since the last call.
    pub(super) fn end_command(&mut self) -> Ticket {
        if self.next() == self.command_started {
            self.waiting.push_back(Unconfirmed { answered: true, ends_command: true });
        }
        if let Some(last) = self.waiting.back_mut() {
            last.ends_command = true;
        }
        self.command_started = self.next();
        self.advance();
        Ticket(self.command_started - 1)
    }

    /// The ticket of the command that an unanswered order belongs to.
    pub(super) fn command_of(&self, order: Ticket) -> Ticket {
        let at = order.0.saturating_sub(self.first) as usize;
        let orders = self.waiting.iter().skip(at).position(|waiting| waiting.ends_command).unwrap_or(0);
        Ticket(order.0 + orders as u64)
    }

    /// An order was answered.
    pub(super) fn answered(&mut self, order: Ticket) {
        let at = order.0.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        if let Some(waiting) = at.and_then(|at| self.waiting.get_mut(at)) {
            waiting.answered = true;
            self.advance();
        }
    }

    /// The last command that is done and has not been told, once.
    pub(super) fn take_done(&mut self) -> Option<Ticket> {
        self.untold.take()
    }

    fn next(&self) -> u64 {
        self.first + self.waiting.len() as u64
    }

    fn advance(&mut self) {
        while let Some(done) = self.waiting.pop_front_if(|waiting| waiting.answered) {
            if done.ends_command {
                self.untold = Some(Ticket(self.first));
            }
            self.first += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_done_when_all_orders_up_to_its_last_are() {
        let mut tickets = Tickets::new();
        let a = [tickets.number(), tickets.number()];
        assert_eq!(tickets.end_command(), a[1]);
        let b = [tickets.number()];
        assert_eq!(tickets.end_command(), b[0]);
        assert_eq!((tickets.command_of(a[0]), tickets.command_of(b[0])), (a[1], b[0]));

        tickets.answered(b[0]);
        tickets.answered(a[1]);
        assert_eq!(tickets.take_done(), None, "the first order is outstanding");
        tickets.answered(a[0]);
        assert_eq!(tickets.take_done(), Some(b[0]));
        assert_eq!(tickets.take_done(), None);
        assert_eq!(tickets.unconfirmed(), 0);
    }

    #[test]
    fn a_command_without_orders_is_done_in_its_turn() {
        let mut tickets = Tickets::new();
        let first = tickets.end_command();
        assert_eq!(tickets.take_done(), Some(first));
        let order = tickets.number();
        tickets.end_command();
        let idle = tickets.end_command();
        assert!(idle > order);
        assert_eq!(tickets.take_done(), None);
        tickets.answered(order);
        assert_eq!(tickets.take_done(), Some(idle));
    }

    #[test]
    fn an_answer_to_nothing_changes_nothing() {
        let mut tickets = Tickets::new();
        tickets.number();
        tickets.answered(Ticket(0));
        tickets.answered(Ticket(99));
        assert_eq!((tickets.unconfirmed(), tickets.take_done()), (1, None));
    }
}
