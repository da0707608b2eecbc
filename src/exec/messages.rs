//! How the threads that carry steps speak to the coordinator: one channel, so that a step's facts
//! arrive in their order.
//!
//! Facts about steps never block their sender. Pieces of output do when too many are under way, so
//! that a step which prints faster than somebody looks is slowed down and memory stays flat.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::worker::{Done, Waits};
use crate::cache::Flight;
use crate::event::{StepOutput, StepRetried};
use crate::plan::StepIx;

/// So many pieces of output may be under way.
const UNDER_WAY: usize = 64;

/// What a step's thread has to say.
pub(super) enum Message {
    /// It really runs: nothing could be restored.
    Started(StepIx, Telling),
    /// An attempt failed, and another one follows.
    Retried(Box<StepRetried>),
    /// It printed something.
    Output(Box<StepOutput>, Permit),
    /// Somebody else runs the same: it waits, and its slot is free.
    Waits(StepIx, Box<Waits>),
    /// What it waited for is over; with the right to run now, if there is one.
    Back(StepIx, Option<Flight>),
    /// It is over, and its slot is free.
    Done(StepIx, Box<Done>),
}

/// The sending end; one for all threads.
#[derive(Clone)]
pub(super) struct Messenger {
    sender: Sender<Message>,
    permits: Arc<Permits>,
}

/// A new channel.
pub(super) fn messages() -> (Messenger, Receiver<Message>) {
    let (sender, receiver) = channel();
    let permits = Arc::new(Permits {
        free: Mutex::new(UNDER_WAY),
        freed: Condvar::new(),
    });
    (Messenger { sender, permits }, receiver)
}

impl Messenger {
    /// Somebody may want to wait until everybody knows.
    pub(super) fn started(&self, step: StepIx) -> Told {
        let (telling, told) = channel();
        self.send(Message::Started(step, Telling { _end: telling }));
        Told(told)
    }

    pub(super) fn retried(&self, retried: StepRetried) {
        self.send(Message::Retried(Box::new(retried)));
    }

    pub(super) fn waits(&self, step: StepIx, waits: Waits) {
        self.send(Message::Waits(step, Box::new(waits)));
    }

    pub(super) fn back(&self, step: StepIx, flight: Option<Flight>) {
        self.send(Message::Back(step, flight));
    }

    pub(super) fn done(&self, step: StepIx, done: Done) {
        self.send(Message::Done(step, Box::new(done)));
    }

    /// Waits while too much output is under way.
    pub(super) fn output(&self, output: StepOutput) {
        let permit = Permits::take(&self.permits);
        self.send(Message::Output(Box::new(output), permit));
    }

    fn send(&self, message: Message) {
        // Without a coordinator nobody is left who could be told.
        let _ = self.sender.send(message);
    }
}

/// Lives until everybody has been told.
pub(super) struct Telling {
    _end: Sender<()>,
}

/// Knows when everybody has been told.
pub(super) struct Told(Receiver<()>);

impl Told {
    pub(super) fn wait(self) {
        // Nothing is ever sent: the sender goes.
        let _ = self.0.recv();
    }
}

struct Permits {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Permits {
    fn take(this: &Arc<Self>) -> Permit {
        let free = this.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = this
            .freed
            .wait_while(free, |free| *free == 0)
            .unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Permit(Arc::clone(this))
    }
}

/// One piece of output is under way as long as this lives.
pub(super) struct Permit(Arc<Permits>);

impl Drop for Permit {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}
