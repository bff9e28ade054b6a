#include "services/config.hpp"

#include <cstdlib>
#include <fstream>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/limits_table.hpp"
#include "tests/support/temp_dir.hpp"

namespace parley {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// What the server says to these flags before it ends; empty where it would start.
std::string refusal(std::vector<std::string> flags) {
  flags.insert(flags.begin(), "parleyd");
  std::vector<const char*> words;
  for (const std::string& flag : flags) words.push_back(flag.c_str());
  testing::internal::CaptureStderr();
  const ParsedConfig parsed = parse_config(static_cast<int>(words.size()), words.data());
  std::string said = testing::internal::GetCapturedStderr();
  if (!parsed.exit_code) return {};
  EXPECT_EQ(*parsed.exit_code, 2) << said;
  return said.empty() ? "(nothing)" : said;
}

class ConfigTest : public testing::Test {
 protected:
  std::string file(const std::string& text) {
    const auto path = dir_ / "parleyd.toml";
    std::ofstream(path) << text;
    return path.string();
  }
  test::TempDir dir_;
};

/// Set for as long as it lives.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~Variable() { unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

TEST_F(ConfigTest, TakesAddressesThatAreOne) {
  for (const char* fine :
       {"127.0.0.1:0", "127.0.0.1:65535", "[::1]:7447", "localhost:7447", "unix:parley.sock"}) {
    EXPECT_THAT(refusal({"--listen", fine}), IsEmpty()) << fine;
  }
  EXPECT_THAT(refusal({"--listen", "0.0.0.0:7447", "--insecure"}), IsEmpty());
}

TEST_F(ConfigTest, RefusesAddressesThatAreNone) {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"127.0.0.1:99999", "the port"}, {"127.0.0.1:65536", "the port"},
      {"127.0.0.1:-1", "the port"},    {"127.0.0.1:+1", "the port"},
      {"127.0.0.1: 1", "the port"},    {"127.0.0.1:abc", "the port"},
      {"127.0.0.1:", "the port"},      {"127.0.0.1", "HOST:PORT"},
      {":7447", "HOST:PORT"},          {"[::1]", "HOST:PORT"},
      {"::1:7447", "brackets"},        {"127.0.0.1.invalid:7447", "cannot be resolved"},
  };
  for (const auto& [listen, says] : wrong) {
    EXPECT_THAT(refusal({"--listen", listen}), AllOf(HasSubstr("--listen"), HasSubstr(says)))
        << listen;
  }
  EXPECT_THAT(refusal({"--listen", "0.0.0.0:7447"}), HasSubstr("--insecure"));
}

TEST_F(ConfigTest, JudgesTheEnvironmentAndTheFileAsTheFlags) {
  {
    const Variable listen("PARLEY_LISTEN", "127.0.0.1:70000");
    EXPECT_THAT(refusal({}), HasSubstr("the port"));
  }
  {
    const Variable node("PARLEY_NODE", "b d");
    EXPECT_THAT(refusal({}), HasSubstr("--node"));
  }
  {
    const Variable budget("PARLEY_MEMORY_BUDGET", "1MB");
    EXPECT_THAT(refusal({}), HasSubstr("--memory-budget"));
  }
  EXPECT_THAT(refusal({"--config", file("listen=\"127.0.0.1:99999\"\n")}), HasSubstr("the port"));
}

class JournalFlags : public ConfigTest {
 protected:
  static std::vector<std::string> shared(const std::vector<std::string>& more) {
    std::vector<std::string> flags{"--cluster", "shared"};
    flags.insert(flags.end(), more.begin(), more.end());
    return flags;
  }
  static std::vector<std::string> journals(const std::vector<std::string>& more) {
    std::vector<std::string> flags = shared(more);
    flags.insert(flags.begin(), "parleyd");
    std::vector<const char*> words;
    for (const std::string& flag : flags) words.push_back(flag.c_str());
    const auto parsed = parse_config(static_cast<int>(words.size()), words.data());
    EXPECT_FALSE(parsed.exit_code);
    return parsed.config.journals;
  }

  const std::string one_ = "postgres://parley@a:5432,b:5432/parley?target_session_attrs=primary";
  const std::string two_ = "postgresql://parley@c/parley";
  const std::string pairs_ = "host=d port=5432 dbname=parley";
};

TEST_F(JournalFlags, MayBeSeveralInTheirOrder) {
  EXPECT_THAT(journals({"--journal", one_}), ElementsAre(one_));
  EXPECT_THAT(journals({"--journal", two_, "--journal", one_}), ElementsAre(two_, one_));
  EXPECT_THAT(journals({"--journal=" + pairs_, "--journal", two_ + " \n" + one_ + " "}),
              ElementsAre(pairs_, two_, one_));
}

TEST_F(JournalFlags, MayComeFromTheEnvironmentAndTheFile) {
  {
    const Variable variable("PARLEY_JOURNAL", (two_ + " " + one_).c_str());
    EXPECT_THAT(journals({}), ElementsAre(two_, one_));
    EXPECT_THAT(journals({"--journal", one_}), ElementsAre(one_)) << "the flag goes first";
  }
  {
    const Variable variable("PARLEY_JOURNAL", pairs_.c_str());
    EXPECT_THAT(journals({}), ElementsAre(pairs_));
  }
  const std::string in_file = "journal=[\"" + two_ + "\", \"" + pairs_ + "\"]\n";
  EXPECT_THAT(journals({"--config", file(in_file)}), ElementsAre(two_, pairs_));
  EXPECT_THAT(journals({"--config", file("journal=\"" + pairs_ + "\"\n")}), ElementsAre(pairs_));
}

TEST_F(JournalFlags, AreRefusedWhereTheyCannotBeRight) {
  EXPECT_THAT(refusal(shared({})), HasSubstr("--cluster shared and --journal go together"));
  EXPECT_THAT(refusal({"--journal", one_}), HasSubstr("go together"));
  EXPECT_THAT(refusal(shared({"--journal", ""})), HasSubstr("--journal"));
  EXPECT_THAT(refusal(shared({"--journal", "parley"})),
              AllOf(HasSubstr("--journal 'parley'"), HasSubstr("postgres://")));
  EXPECT_THAT(refusal(shared({"--journal", two_ + " , " + one_})),
              AllOf(HasSubstr("--journal ','"), HasSubstr("spaces in between")));
  EXPECT_THAT(refusal(shared({"--journal", one_, "--journal", one_})),
              AllOf(HasSubstr("--journal"), HasSubstr("give each database once")));
  EXPECT_THAT(refusal(shared({"--journal", one_, "--journal", two_, "--shards", "1"})),
              AllOf(HasSubstr("--journal: 2 databases for 1 shards"), HasSubstr("--shards")));
}

TEST_F(ConfigTest, RefusesAKeyThatItDoesNotKnow) {
  EXPECT_THAT(refusal({"--config", file("hot-windows=5\n")}), HasSubstr("hot-windows"));
  EXPECT_THAT(refusal({"--config", file("[limits]\nhot-window=5\n")}), HasSubstr("limits"));
  EXPECT_THAT(refusal({"--config", file("hot-window=5\n")}), IsEmpty());
}

TEST_F(ConfigTest, HoldsEveryLimitToItsRange) {
  for (const SettableLimit& limit : settable_limits()) {
    const auto says = AllOf(HasSubstr(limit.flag), HasSubstr(std::to_string(limit.least)),
                            HasSubstr(std::to_string(limit.most)));
    const std::string key = std::string(limit.flag).substr(2) + "=";
    for (const int64_t wrong : {limit.least - 1, limit.most + 1, int64_t{-5}}) {
      const std::string value = std::to_string(wrong);
      EXPECT_THAT(refusal({limit.flag, value}), says);
      EXPECT_THAT(refusal({"--config", file(key + value + "\n")}), says);
    }
    for (const int64_t fine : {limit.least, limit.most}) {
      EXPECT_THAT(refusal({limit.flag, std::to_string(fine)}), IsEmpty());
    }
    EXPECT_THAT(refusal({limit.flag, "many"}), HasSubstr(limit.flag));
  }
}

TEST_F(ConfigTest, SetsTheLimitsThatItIsGiven) {
  const char* words[] = {"parleyd", "--dedup-seconds", "60", "--hot-window", "7"};
  const Limits limits = parse_config(5, words).config.limits;
  EXPECT_EQ(limits.dedup_seconds, 60);
  EXPECT_EQ(limits.hot_window_messages_default, 7U);
  EXPECT_EQ(limits.request_bytes, Limits{}.request_bytes);
}

TEST_F(ConfigTest, TakesADataDirectoryThatIsNewEmptyOrAStore) {
  Config config;
  config.data_dir = (dir_ / "data").string();
  EXPECT_TRUE(check_places(config).ok()) << "it is not there yet";
  std::filesystem::create_directories(dir_ / "data" / "backups");
  std::ofstream(dir_ / "data" / "LOCK") << "1";
  std::ofstream(dir_ / "data" / ".keep") << "";
  EXPECT_TRUE(check_places(config).ok()) << "a start broke off";
  std::ofstream(dir_ / "data" / "IDENTITY") << "{}";
  std::ofstream(dir_ / "data" / "notes") << "";
  EXPECT_TRUE(check_places(config).ok()) << "it holds a store";
}

TEST_F(ConfigTest, RefusesADataDirectoryOfSomebodyElse) {
  Config config;
  config.data_dir = (dir_ / "data").string();
  std::filesystem::create_directories(dir_ / "data");
  std::ofstream(dir_ / "data" / "thesis.tex") << "";
  const Status status = check_places(config);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("--data-dir"), HasSubstr("thesis")));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "data" / "LOCK"));
}

TEST_F(ConfigTest, RefusesABackupDirectoryThatCannotBeMade) {
  Config config;
  config.data_dir = (dir_ / "data").string();
  config.backup_dir = (dir_ / "deep" / "backups").string();
  EXPECT_TRUE(check_places(config).ok());
  EXPECT_TRUE(std::filesystem::is_directory(config.backup_dir));
  std::ofstream(dir_ / "file") << "";
  for (const auto& path :
       {dir_ / "file", dir_ / "file" / "below", std::filesystem::path("/proc/none")}) {
    config.backup_dir = path.string();
    EXPECT_THAT(std::string(check_places(config).message()), HasSubstr("--backup-dir")) << path;
  }
}

}  // namespace
}  // namespace parley
