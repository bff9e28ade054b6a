#include "tests/support/server_process.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include <gtest/gtest.h>

namespace parley::test {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto k_poll = std::chrono::milliseconds(2);

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> made;
  for (std::string& text : strings) made.push_back(text.data());
  made.push_back(nullptr);
  return made;
}

std::vector<std::string> command_line(const ServerOptions& options,
                                      const std::filesystem::path& port_file) {
  std::vector<std::string> words = options.wrapper;
  for (const std::string& word :
       {program("parleyd").string(), std::string("--data-dir"), options.data_dir.string(),
        std::string("--listen"), options.listen, std::string("--port-file"), port_file.string()}) {
    words.push_back(word);
  }
  words.insert(words.end(), options.flags.begin(), options.flags.end());
  return words;
}

std::vector<std::string> environment(const ServerOptions& options) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) all.emplace_back(*entry);
  all.insert(all.end(), options.environment.begin(), options.environment.end());
  return all;
}

/// In the child, between fork and exec: only what is safe there.
[[noreturn]] void become(char* const* words, char* const* names, int output, uint64_t open_files,
                         pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // Why: it died before prctl, which then is never told.
  // Why a group of its own: a Ctrl-C at the terminal is for the test, which then ends its servers.
  setpgid(0, 0);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  if (open_files != 0) {
    const rlimit bound{open_files, open_files};
    setrlimit(RLIMIT_NOFILE, &bound);
  }
  for (int fd = 3; fd < 256; ++fd) fcntl(fd, F_SETFD, FD_CLOEXEC);
  execvpe(words[0], words, names);
  _exit(127);
}

/// Whether one of the sanitizers has said something in what a server wrote.
bool holds_a_finding(const std::string& output) {
  return output.find("Sanitizer") != std::string::npos ||
         output.find("runtime error:") != std::string::npos;
}

/// The only child of a process, 0 if it has none.
pid_t child_of(pid_t parent) {
  const std::string id = std::to_string(parent);
  std::istringstream children(read_file("/proc/" + id + "/task/" + id + "/children"));
  pid_t child = 0;
  children >> child;
  return child;
}

}  // namespace

std::filesystem::path program(const std::string& name) {
  const char* server = std::getenv("PARLEY_SERVER");
  if (name == "parleyd" && server != nullptr) return server;
  const char* folder = std::getenv("PARLEY_BIN");
  return std::filesystem::path(folder == nullptr ? "build/bin" : folder) / name;
}

std::string describe(const Ending& ending) {
  if (ending.signal) return "ended by signal " + std::to_string(*ending.signal);
  return "exit code " + std::to_string(ending.exit_code.value_or(-1));
}

std::ostream& operator<<(std::ostream& out, const Ending& ending) {
  return out << describe(ending);
}

ServerProcess::ServerProcess(const ServerOptions& options)
    : host_(options.listen.substr(0, options.listen.rfind(':'))),
      wrapped_(!options.wrapper.empty()) {
  const std::string beside = options.data_dir.string();
  port_file_ = beside + ".port";
  output_file_ = beside + ".log";
  std::filesystem::remove(port_file_);
  std::vector<std::string> words = command_line(options, port_file_);
  std::vector<std::string> names = environment(options);
  const std::vector<char*> word_pointers = pointers(words);
  const std::vector<char*> name_pointers = pointers(names);
  const int output =
      open(output_file_.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_APPEND | O_CLOEXEC, 0644);
  if (output < 0) throw std::runtime_error("cannot write " + output_file_.string());
  const pid_t parent = getpid();
  child_ = fork();
  if (child_ == 0)
    become(word_pointers.data(), name_pointers.data(), output, options.open_files, parent);
  close(output);
  if (child_ < 0) throw std::runtime_error("cannot fork");
}

ServerProcess::~ServerProcess() {
  if (child_ > 0 && !ending_) kill();
}

bool ServerProcess::wait_until_serving(std::chrono::milliseconds patience) {
  const auto give_up = Clock::now() + patience;
  while (Clock::now() < give_up) {
    const std::string port = read_file(port_file_);
    if (!port.empty() && std::stoi(port) > 0) {
      address_ = host_ + ":" + std::to_string(std::stoi(port));
      return true;
    }
    if (!running()) return false;
    std::this_thread::sleep_for(k_poll);
  }
  return false;
}

pid_t ServerProcess::pid() const {
  if (!wrapped_) return child_;
  const pid_t inner = child_of(child_);
  return inner == 0 ? child_ : inner;
}

void ServerProcess::send(int signal) const {
  if (!ending_) ::kill(pid(), signal);
}

void ServerProcess::kill() {
  send(SIGKILL);
  if (wrapped_ && !wait(std::chrono::seconds(5))) ::kill(child_, SIGKILL);
  wait(std::chrono::seconds(30));
}

Ending ServerProcess::stop(std::chrono::milliseconds patience) {
  send(SIGTERM);
  if (const auto ending = wait(patience)) return *ending;
  ADD_FAILURE() << "the server did not stop within " << patience.count() << " ms; it said:\n"
                << output();
  kill();
  return ending_.value_or(Ending{});
}

std::optional<Ending> ServerProcess::wait(std::chrono::milliseconds patience) {
  const auto give_up = Clock::now() + patience;
  while (!ending_) {
    int status = 0;
    const pid_t ended = waitpid(child_, &status, WNOHANG);
    if (ended == child_) {
      ending_.emplace();
      if (WIFEXITED(status)) ending_->exit_code = WEXITSTATUS(status);
      if (WIFSIGNALED(status)) ending_->signal = WTERMSIG(status);
      // Why here: many tests kill their server, or expect that it ends by itself.
      if (const std::string said = output(); holds_a_finding(said)) ADD_FAILURE() << said;
    } else if (Clock::now() >= give_up) {
      return std::nullopt;
    } else {
      std::this_thread::sleep_for(k_poll);
    }
  }
  return ending_;
}

int64_t ServerProcess::status_bytes(const std::string& field) const {
  std::istringstream status(read_file("/proc/" + std::to_string(pid()) + "/status"));
  for (std::string word; status >> word;) {
    if (word != field) continue;
    int64_t kibibytes = 0;
    status >> kibibytes;
    return kibibytes << 10;
  }
  return 0;
}

std::string ServerProcess::output() const { return read_file(output_file_); }

std::unique_ptr<ServerProcess> start_server(const ServerOptions& options) {
  auto server = std::make_unique<ServerProcess>(options);
  if (!server->wait_until_serving()) {
    const auto ending = server->wait(std::chrono::milliseconds(0));
    ADD_FAILURE() << "the server did not come up: " << (ending ? describe(*ending) : "it hangs")
                  << "; it said:\n"
                  << server->output();
  }
  return server;
}

}  // namespace parley::test
