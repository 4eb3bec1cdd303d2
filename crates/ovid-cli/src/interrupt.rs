//! Ctrl-C. Work that can end cleanly asks [`requested`] between its steps; everything else is ended at once, and so is all work at the second Ctrl-C.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

static GRACEFUL: AtomicBool = AtomicBool::new(false);
static PRESSED: AtomicU32 = AtomicU32::new(0);

/// Listens for the rest of the program's life.
pub fn listen() {
    // Without the handler the system ends the program itself: nothing is lost but the status.
    let _ = ctrlc::set_handler(|| {
        let before = PRESSED.fetch_add(1, Ordering::SeqCst);
        if before > 0 || !GRACEFUL.load(Ordering::SeqCst) {
            std::process::exit(130);
        }
    });
}

/// From here on, until the guard goes, the first Ctrl-C only asks.
#[must_use]
pub fn graceful() -> Graceful {
    GRACEFUL.store(true, Ordering::SeqCst);
    Graceful
}

/// Whether the work should end.
pub fn requested() -> bool {
    PRESSED.load(Ordering::SeqCst) > 0
}

/// Forgets the request, where a command treats it as an answer and goes on.
pub fn forget() {
    PRESSED.store(0, Ordering::SeqCst);
}

/// As long as this lives, Ctrl-C asks before it ends.
pub struct Graceful;

impl Drop for Graceful {
    fn drop(&mut self) {
        GRACEFUL.store(false, Ordering::SeqCst);
    }
}
