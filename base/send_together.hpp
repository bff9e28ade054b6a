#pragma once

#include <vector>

namespace parley {

/// While one exists, what its thread sends is collected by the kernel and leaves at its end, in one
/// piece for each connection.
///
/// Why: gRPC sends every answer by itself, and a segment, a wake-up of the client and a read there
/// cost it more than the answer. The answers of one group commit are ready together, so none waits
/// for longer than it takes to make them. gRPC 1.51 has no switch for that: this replaces the
/// `sendmsg` that it calls, for as long as this lives and on this thread alone.
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
  /// The one that lives on this thread; null if none does.
  static SendTogether* here();

 private:
  std::vector<int> sockets_;
};

}  // namespace parley
