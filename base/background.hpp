#pragma once

namespace parley {

/// Puts the calling thread behind those that answer calls, for as long as it lives: what it does
/// may wait, calls may not. Costs a system call the first time on a thread. Not undone, so not for
/// threads that are lent.
void work_in_background();

}  // namespace parley
