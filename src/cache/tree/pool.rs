//! Many small things at once, on a rayon pool of its own.
//!
//! Who calls is a thread of the steps' pool, which must never wait on rayon (it would run another
//! step meanwhile): work is handed over by `spawn` and comes back over a channel. What runs here
//! never waits. Knows nothing of files.

use std::sync::{Arc, OnceLock, mpsc};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::sys::host;

/// Makes its threads when they are first needed.
#[derive(Debug, Default)]
pub(super) struct Pool(OnceLock<Option<ThreadPool>>);

impl Pool {
    /// The threads; `None` where the system gives none.
    fn threads(&self) -> Option<&ThreadPool> {
        let build = || {
            let named = |number| format!("pipe-hash-{number}");
            ThreadPoolBuilder::new()
                .num_threads(host::cpus())
                .thread_name(named)
                .build()
                .ok()
        };
        self.0.get_or_init(build).as_ref()
    }

    /// Does `work` with each number below `count`, `chunk` of them at a time; results in order. What
    /// the numbers mean is shared: nothing is handed to a thread that it would have to free.
    pub(super) fn map<R: Send + 'static>(
        &self,
        count: usize,
        chunk: usize,
        work: impl Fn(usize) -> R + Send + Sync + 'static,
    ) -> Vec<R> {
        let Some(threads) = self.threads().filter(|_| count > 1) else {
            return (0..count).map(work).collect();
        };
        let work = Arc::new(work);
        let (sender, receiver) = mpsc::channel();
        for start in (0..count).step_by(chunk.max(1)) {
            let (sender, work) = (sender.clone(), Arc::clone(&work));
            let part = start..count.min(start + chunk.max(1));
            threads.spawn(move || {
                let done: Vec<R> = part.map(&*work).collect();
                // Nobody listens only if the caller has died.
                let _heard = sender.send((start, done));
            });
        }
        drop(sender);
        let mut parts: Vec<_> = receiver.iter().collect();
        parts.sort_unstable_by_key(|(start, _)| *start);
        parts.into_iter().flat_map(|(_, done)| done).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        let pool = Pool::default();
        for chunk in [0, 1, 7, 1_000] {
            let doubled = pool.map(100, chunk, |number| number * 2);
            assert_eq!(
                doubled,
                (0..100).map(|number| number * 2).collect::<Vec<_>>()
            );
        }
        assert!(pool.map(0, 4, |number| number).is_empty());
    }
}
