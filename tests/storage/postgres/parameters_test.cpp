#include "storage/postgres/parameters.hpp"

#include <gtest/gtest.h>

#include "storage/postgres/connection.hpp"
#include "tests/storage/postgres_instance.hpp"

namespace parley::postgres {
namespace {

/// Whatever is sent comes back as it was.
class Values : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = Connection::open({.url = test::PostgresInstance::of_this_process().url()});
    ASSERT_TRUE(opened.ok()) << opened.status();
    connection_ = *std::move(opened);
  }
  Rows sent(const std::string& sql, const Parameters& parameters) {
    auto rows = connection_->run(sql.c_str(), parameters);
    EXPECT_TRUE(rows.ok()) << rows.status();
    return *std::move(rows);
  }

  std::unique_ptr<Connection> connection_;
};

TEST_F(Values, NumbersAndBytesComeBack) {
  const std::string bytes("\0\xff\n", 3);
  const Rows rows = sent("SELECT $1, $2, $3, $4, $5, $6", Parameters()
                                                              .int4(-7)
                                                              .int8(INT64_MIN)
                                                              .boolean(true)
                                                              .bytes(bytes)
                                                              .text("g\xc3\xbcte")
                                                              .int8(std::optional<int64_t>()));
  EXPECT_EQ(rows.number(0, 0), -7);
  EXPECT_EQ(rows.number(0, 1), INT64_MIN);
  EXPECT_TRUE(rows.boolean(0, 2));
  EXPECT_EQ(rows.bytes(0, 3), bytes);
  EXPECT_EQ(rows.text(0, 4), "g\xc3\xbcte");
  EXPECT_TRUE(rows.is_null(0, 5));
}

TEST_F(Values, TimesComeBackToTheMicrosecond) {
  for (const int64_t micros : {int64_t{0}, int64_t{-1}, int64_t{1'700'000'000'123'456}}) {
    const Rows rows = sent("SELECT $1, extract(epoch FROM $1) * 1000000 = $2",
                           Parameters().time({micros}).int8(micros));
    EXPECT_EQ(rows.time(0, 0).micros, micros);
    EXPECT_TRUE(rows.boolean(0, 1)) << "as the database understands it: " << micros;
  }
  for (const int64_t micros : {INT64_MIN, INT64_MAX}) {
    EXPECT_FALSE(sent("SELECT $1", Parameters().time({micros})).is_null(0, 0));
  }
}

TEST_F(Values, ArraysComeBackWithTheirNulls) {
  Array texts(Type::text);
  for (const char* each : {"one", "", "three"}) texts.add(each);
  const Rows rows = sent("SELECT $1, $2", Parameters().array(texts).array(Array(Type::uuid)));
  EXPECT_EQ(rows.array(0, 0), (std::vector<std::string_view>{"one", "", "three"}));
  EXPECT_TRUE(rows.array(0, 1).empty());
  texts.add_null();
  const Rows counted =
      sent("SELECT count(*), count(t) FROM unnest($1) t", Parameters().array(texts));
  EXPECT_EQ(counted.number(0, 0), 4);
  EXPECT_EQ(counted.number(0, 1), 3);
}

/// A text of PostgreSQL holds none.
TEST_F(Values, ANulBecomesTheSignOfWhatCannotBeShown) {
  EXPECT_EQ(text_value(std::string_view("a\0b", 3)),
            "a\xef\xbf\xbd"
            "b");
}

TEST_F(Values, SaysWhatBecameOfAStatement) {
  const auto code = [&](const char* sql) { return connection_->run(sql).status().code(); };
  EXPECT_EQ(code("SELECT 1"), absl::StatusCode::kOk);
  EXPECT_EQ(code("SELECT nonsense"), absl::StatusCode::kInternal);
  EXPECT_EQ(code("SELECT * FROM parley_none.there"), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(code("SELECT pg_terminate_backend(pg_backend_pid())"), absl::StatusCode::kUnknown);
  EXPECT_TRUE(connection_->broken());
  EXPECT_EQ(code("SELECT 1"), absl::StatusCode::kUnavailable);
}

TEST(Connections, SayWhereNobodyAnswersAndKeepPasswordsToThemselves) {
  const auto refused =
      Connection::open({.url = "postgresql://someone:secret@127.0.0.1:1/base?connect_timeout=2"});
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(refused.status().message().find("127.0.0.1:1/base"), std::string::npos)
      << refused.status();
  EXPECT_EQ(refused.status().ToString().find("secret"), std::string::npos);
}

}  // namespace
}  // namespace parley::postgres
