#include "storage/postgres/connection.hpp"

#include <array>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/bytes.hpp"
#include "tests/storage/postgres_instance.hpp"

namespace parley::postgres {
namespace {

using test::PostgresInstance;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(DatabaseAddresses, NameEachServer) {
  EXPECT_THAT(servers_of("postgresql://ann@one:1,two:2/db"),
              ElementsAre(Server{"one", "", "1"}, Server{"two", "", "2"}));
  EXPECT_THAT(servers_of("host=one,two port=7 dbname=db"),
              ElementsAre(Server{"one", "", "7"}, Server{"two", "", "7"}));
  EXPECT_THAT(servers_of("hostaddr=10.0.0.1,10.0.0.2 port=7,"),
              ElementsAre(Server{"", "10.0.0.1", "7"}, Server{"", "10.0.0.2", "5432"}));
  EXPECT_THAT(servers_of("dbname=db"), ElementsAre(Server{}));
}

/// Takes one session, and ends it at its first statement, as a server does that is being stopped.
class DyingServer {
 public:
  DyingServer() : listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(listener_, any, size), 0);
    EXPECT_EQ(listen(listener_, 1), 0);
    EXPECT_EQ(getsockname(listener_, any, &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~DyingServer() {
    thread_.join();
    close(listener_);
  }
  [[nodiscard]] std::string url() const {
    return "host=127.0.0.1 user=ann dbname=db sslmode=disable gssencmode=disable port=" +
           std::to_string(port_);
  }

 private:
  static std::string message(char kind, const std::string& body) {
    std::string size;
    put_big(size, static_cast<uint32_t>(body.size() + 4));
    return kind + size + body;
  }
  static std::string parameter(const std::string& name, const std::string& value) {
    return message('S', name + '\0' + value + '\0');
  }
  void serve() const {
    const int session = accept(listener_, nullptr, nullptr);
    std::array<char, 4096> ignored{};
    const std::string welcome =
        message('R', std::string(4, '\0')) + parameter("server_version", "15.0") +
        parameter("in_hot_standby", "off") + parameter("default_transaction_read_only", "off") +
        message('Z', "I");
    const std::string farewell =
        message('E', std::string("SFATAL\0VFATAL\0C57P01\0Mgoing\0", 28) + '\0');
    EXPECT_GT(read(session, ignored.data(), ignored.size()), 0);
    EXPECT_GT(write(session, welcome.data(), welcome.size()), 0);
    EXPECT_GT(read(session, ignored.data(), ignored.size()), 0);
    EXPECT_GT(write(session, farewell.data(), farewell.size()), 0);
    close(session);
  }

  const int listener_;
  int port_ = 0;
  std::thread thread_;
};

/// Found by a fail-over under load: calls were told INTERNAL, and commits that were not even sent
/// were taken for ones of unknown outcome.
TEST(ASession, ThatEndsBeforeAnythingWasAskedOfItWasNotToBeHad) {
  const DyingServer server;
  const auto opened = Connection::open({.url = server.url()});
  EXPECT_TRUE(absl::IsUnavailable(opened.status())) << opened.status();
  EXPECT_THAT(opened.status().message(), HasSubstr("going"));
}

class ADatabase : public testing::Test {
 protected:
  PostgresInstance& database_ = PostgresInstance::of_this_process();
};

TEST_F(ADatabase, IsFoundBehindAServerThatIsNotThere) {
  const std::string url = database_.url();
  const std::string host = url.substr(url.find("host=") + 5);
  const ConnectionOptions options{.url = "user=parley dbname=postgres host=127.0.0.1," + host +
                                         " port=1,5432"};
  const auto opened = Connection::open(options);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_TRUE((*opened)->run("SELECT 1").ok());
  EXPECT_EQ(options.preferred->load(), 1U);
}

TEST_F(ADatabase, ThatOnlyReadsIsNotTheOneThatIsMeant) {
  const auto opened = Connection::open(
      {.url = database_.url() + "&options=-c%20default_transaction_read_only%3Don"});
  EXPECT_TRUE(absl::IsUnavailable(opened.status())) << opened.status();
  EXPECT_THAT(opened.status().message(), HasSubstr("read-only"));
}

/// What ended it was told before the next statement: nothing of that was carried out.
TEST_F(ADatabase, ThatEndedASessionTookNoStatement) {
  const auto opened = Connection::open({.url = database_.url()});
  ASSERT_TRUE(opened.ok()) << opened.status();
  const auto id = (*opened)->run("SELECT pg_backend_pid()");
  ASSERT_TRUE(id.ok()) << id.status();
  const std::string process = std::to_string(id->number(0, 0));
  database_.run("SELECT pg_terminate_backend(" + process + ", 5000)");
  const auto after = (*opened)->run("SELECT 1");
  EXPECT_TRUE(absl::IsUnavailable(after.status())) << after.status();
}

/// Each is a transaction of its own, whatever becomes of those before it.
TEST_F(ADatabase, TakesStatementsOneBehindTheOther) {
  const auto opened = Connection::open({.url = database_.url()});
  ASSERT_TRUE(opened.ok()) << opened.status();
  Connection& session = **opened;
  for (int round = 0; round < 2; ++round) {
    for (const char* sql : {"SELECT 1", "SELECT 1 / 0", "SELECT 3"}) {
      ASSERT_TRUE(session.begin(sql, {}).ok());
    }
    const auto first = session.finish();
    ASSERT_TRUE(first.ok()) << first.status();
    EXPECT_EQ(first->number(0, 0), 1);
    EXPECT_TRUE(absl::IsInternal(session.finish().status()));
    const auto third = session.finish();
    ASSERT_TRUE(third.ok()) << third.status();
    EXPECT_EQ(third->number(0, 0), 3);
    // Then it is as any other.
    EXPECT_TRUE(session.run_all("SELECT 1; SELECT 2").ok());
    const auto alone = session.run("SELECT 4");
    ASSERT_TRUE(alone.ok()) << alone.status();
    EXPECT_EQ(alone->number(0, 0), 4);
  }
}

/// Nobody knows of any of them whether it was carried out.
TEST_F(ADatabase, ThatEndsASessionLeavesEachStatementUnderWayUnknown) {
  const auto opened = Connection::open({.url = database_.url()});
  ASSERT_TRUE(opened.ok()) << opened.status();
  Connection& session = **opened;
  const auto id = session.run("SELECT pg_backend_pid()");
  ASSERT_TRUE(id.ok()) << id.status();
  for (const char* sql : {"SELECT pg_sleep(60)", "SELECT 2"}) {
    ASSERT_TRUE(session.begin(sql, {}).ok());
  }
  database_.run("SELECT pg_terminate_backend(" + std::to_string(id->number(0, 0)) + ", 5000)");
  EXPECT_TRUE(absl::IsUnknown(session.finish().status()));
  EXPECT_TRUE(absl::IsUnknown(session.finish().status()));
  EXPECT_TRUE(session.broken());
  EXPECT_TRUE(absl::IsUnavailable(session.run("SELECT 1").status()));
}

TEST_F(ADatabase, SaysWhatItGaveUp) {
  const auto opened =
      Connection::open({.url = database_.url(), .statement_max = std::chrono::milliseconds(50)});
  ASSERT_TRUE(opened.ok()) << opened.status();
  const auto slept = (*opened)->run("SELECT pg_sleep(5)");
  EXPECT_TRUE(absl::IsDeadlineExceeded(slept.status())) << slept.status();
}

}  // namespace
}  // namespace parley::postgres
