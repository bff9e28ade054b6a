#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/client.hpp"
#include "tests/support/history.hpp"
#include "tests/support/requests.hpp"

namespace parley::test {

/// A server as clients find it: there or not, each time at another address. Or the nodes of a
/// cluster, one door each, all the same to a client, which goes by one after the other.
class Doorway {
 public:
  /// `patience`: how long a call may take before it is tried again, by the next door.
  explicit Doorway(std::chrono::milliseconds patience = std::chrono::seconds(20))
      : patience_(patience) {}

  /// It serves here now.
  void open(const std::string& address, int door = 0);
  void shut(int door = 0);
  /// No more: whoever waits is let go.
  void close();
  /// Waits until a door is open; null once closed.
  std::shared_ptr<Client> enter();
  [[nodiscard]] CallOptions options() const { return {.timeout = patience_}; }
  /// Whether a call ended in one of the ways that servers end it which go, stand still or are cut
  /// off.
  static bool cut_off(const CallStatus& status);

  /// Calls until there is an answer from the server itself. Empty once closed.
  template <class Request>
  auto until_answered(const Request& request)
      -> std::optional<decltype(std::declval<Client&>().call(request))> {
    while (const auto client = enter()) {
      auto answer = client->call(request, options());
      if (!cut_off(answer.status)) return answer;
      // Why: as clients do; a server that is gone refuses them at once.
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return std::nullopt;
  }

 private:
  const std::chrono::milliseconds patience_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<int, std::shared_ptr<Client>> doors_;
  int last_ = -1;  ///< the door that was entered last
  bool closed_ = false;
};

Instant now();

/// A conversation that many clients share, and all that they saw of it. Thread-safe.
class SharedConversation {
 public:
  SharedConversation(Doorway& doorway, std::string thread, bool with_resets);

  /// Does one thing, drawn from `random`.
  void act(int client, std::mt19937_64& random);
  /// Watches until `stop_watching`, over all restarts.
  void watch(int client, int64_t after_version);
  /// Lets watchers end as soon as they have seen this version.
  void stop_watching(int64_t version) { last_version_ = version; }
  /// Everything, with the dump of the end.
  History history(Client& client);
  [[nodiscard]] const std::string& thread() const { return thread_; }
  [[nodiscard]] int64_t acknowledged() const { return acknowledged_; }
  /// All that there is to check.
  [[nodiscard]] int64_t operations() const { return operations_; }

 private:
  void append(int client, std::mt19937_64& random);
  void append_once(int client);
  void append_refused(int client);
  void read(int client, int limit);
  template <class Request>
  void change(int client, const Request& request);
  std::vector<std::string> fresh_keys(int client, size_t count);
  void note(AppendCall call);

  Doorway& doorway_;
  const std::string thread_;
  const bool with_resets_;
  std::atomic<int64_t> last_key_ = 0;
  std::atomic<int64_t> acknowledged_ = 0;
  std::atomic<int64_t> operations_ = 0;
  std::atomic<int64_t> last_version_ = INT64_MAX;
  std::mutex mutex_;
  History history_;
};

/// Conversations of one client alone, of which it therefore knows exactly what they hold: created,
/// appended to, renamed, reset, forked, deleted and created again. Used by one thread.
class PrivateConversations {
 public:
  /// `stem`: of their names and their user's.
  PrivateConversations(Doorway& doorway, std::string stem, uint64_t seed);

  void act();
  /// Compares all with what is stored.
  void check_all();
  [[nodiscard]] int64_t acknowledged() const { return acknowledged_; }
  [[nodiscard]] int64_t operations() const { return operations_; }

 private:
  struct Known {
    std::string thread;
    bool exists = false;
    int64_t version = 0;
    bool version_exact =
        true;  ///< not with forks: letting go of them raises versions when it comes
    std::string title;
    std::vector<std::string> messages;
  };

  template <class Request>
  auto must(const Request& request);
  void create_one(Known& known);
  void append_some(Known& known);
  void fork_one(Known& parent);
  void advance(Known& known, int64_t version);
  void check(const Known& known);
  /// The list of the user's conversations, against all that are known.
  void check_list();
  int64_t pick(int64_t low, int64_t high);

  Doorway& doorway_;
  const std::string stem_;
  std::mt19937_64 random_;
  std::vector<Known> all_;
  int64_t last_key_ = 0;
  std::atomic<int64_t> acknowledged_ = 0;
  std::atomic<int64_t> operations_ = 0;
};

}  // namespace parley::test
