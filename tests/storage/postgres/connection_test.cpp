#include "storage/postgres/connection.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

TEST_F(ADatabase, SaysWhatItGaveUp) {
  const auto opened =
      Connection::open({.url = database_.url(), .statement_max = std::chrono::milliseconds(50)});
  ASSERT_TRUE(opened.ok()) << opened.status();
  const auto slept = (*opened)->run("SELECT pg_sleep(5)");
  EXPECT_TRUE(absl::IsDeadlineExceeded(slept.status())) << slept.status();
}

}  // namespace
}  // namespace parley::postgres
