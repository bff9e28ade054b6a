#pragma once

namespace parley {

/// Puts the calling thread behind those that answer calls, for as long as it lives: what it does
/// may wait, calls may not. Costs a system call the first time on a thread. Not undone, so not for
/// threads that are lent.
void work_in_background();

/// The calling thread takes short turns from now on: when it wakes it need not wait for the end of
/// another's turn, which takes milliseconds. For threads that answer calls. Nothing happens before
/// Linux 6.12.
void take_short_turns();

}  // namespace parley
