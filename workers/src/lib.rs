//! The engine that folds signals into leads, and the clocks that watch them.
