#pragma once

#include <vector>

namespace parley {

/// While one exists, what its thread sends is collected by the kernel and leaves at its end, in one
/// piece for each connection.
///
/// Why: gRPC sends every answer by itself, and a segment, a wake-up of the client and a read there
/// cost more than the answer. gRPC 1.51 has no switch for that: this replaces the `sendmsg` that it
/// calls, for as long as this lives and on this thread alone.
///
/// On the stack; one at a time on a thread. Keep it short.
class SendTogether {
 public:
  SendTogether();
  ~SendTogether();
  SendTogether(const SendTogether&) = delete;
  SendTogether& operator=(const SendTogether&) = delete;

  /// Something is about to be sent there: it waits for the end.
  void hold(int socket);
  /// The one that lives on this thread; null if none does or it is paused.
  static SendTogether* here();

  /// While one exists, its thread sends at once, and what was held back for that connection first.
  class Pause {
   public:
    Pause();
    ~Pause();
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

   private:
    SendTogether* const paused_;
  };

 private:
  std::vector<int> sockets_;
};

}  // namespace parley
