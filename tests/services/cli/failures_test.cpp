#include "services/cli/failures.hpp"

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace parley::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Status mismatch() {
  google::rpc::ErrorInfo info;
  info.set_reason("VERSION_MISMATCH");
  info.set_domain("parley");
  (*info.mutable_metadata())["current_version"] = "7";
  google::rpc::Status rich;
  rich.add_details()->PackFrom(info);
  return call_failure(10, "the version is 7, not 5", rich.SerializeAsString());
}

TEST(Failures, ExitWith64AndTheStatusOfTheCall) {
  EXPECT_EQ(exit_code(absl::OkStatus()), 0);
  EXPECT_EQ(exit_code(absl::NotFoundError("no such file")), 1);
  EXPECT_EQ(exit_code(usage_failure("which?")), 2);
  EXPECT_EQ(exit_code(call_failure(5, "no", "")), 69);
  EXPECT_EQ(exit_code(mismatch()), 74);
  EXPECT_EQ(exit_code(failure_like_call(absl::StatusCode::kDataLoss, "damage")), 79);
}

TEST(Failures, SayReasonMetadataAndWhatToDo) {
  const std::string text = describe_failure(mismatch(), "append", "here:1");
  EXPECT_THAT(text, HasSubstr("parley: append: the version is 7, not 5\n"));
  EXPECT_THAT(text, HasSubstr("  reason: VERSION_MISMATCH (ABORTED)\n"));
  EXPECT_THAT(text, HasSubstr("  current_version: 7\n"));
  EXPECT_THAT(text, HasSubstr("--expected-version 7\n"));
}

TEST(Failures, NameEveryFieldLimitAndWait) {
  google::rpc::BadRequest bad;
  auto* field = bad.add_field_violations();
  field->set_field("messages[0].role");
  field->set_description("must be given");
  google::rpc::QuotaFailure quota;
  auto* limit = quota.add_violations();
  limit->set_subject("messages");
  limit->set_description("at most 256");
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(2);
  google::rpc::Status rich;
  rich.add_details()->PackFrom(bad);
  rich.add_details()->PackFrom(quota);
  rich.add_details()->PackFrom(retry);
  const Status status = call_failure(3, "wrong", rich.SerializeAsString());
  const std::string text = describe_failure(status, "append", "here:1");
  EXPECT_THAT(text, HasSubstr("  field messages[0].role: must be given\n"));
  EXPECT_THAT(text, HasSubstr("  limit messages: at most 256\n"));
  EXPECT_THAT(text, HasSubstr("  retry after: 2.00 s\n"));
}

TEST(Failures, NameTheAddressThatDoesNotAnswer) {
  const Status status =
      call_failure(14, "failed to connect to all addresses; last error: x: Connection refused", "");
  EXPECT_TRUE(never_reached(status));
  const std::string text = describe_failure(status, "get", "10.0.0.1:7447");
  EXPECT_THAT(text, HasSubstr("no server answers at 10.0.0.1:7447: Connection refused\n"));
  EXPECT_THAT(text, HasSubstr("--address"));
  EXPECT_FALSE(never_reached(mismatch()));
}

TEST(Failures, SendToAnotherBackupWhereOneIsDamaged) {
  const Status damaged = absl::DataLossError("backup 3 in b is damaged (bad checksum)");
  const std::string text = describe_failure(damaged, "restore", "");
  EXPECT_THAT(text, HasSubstr("choose another backup"));
  EXPECT_THAT(text, HasSubstr("'parley backup list'"));
  EXPECT_THAT(text, Not(HasSubstr("'parley restore'")));
  EXPECT_THAT(describe_failure(damaged, "get", ""), HasSubstr("'parley restore'"));
}

TEST(Failures, TellTheServersGoingFromARefusal) {
  const auto code = [](absl::StatusCode of) { return static_cast<int>(of); };
  EXPECT_TRUE(server_gone(call_failure(code(absl::StatusCode::kUnavailable), "", "")));
  EXPECT_TRUE(server_gone(call_failure(code(absl::StatusCode::kCancelled), "", "")));
  EXPECT_FALSE(server_gone(failure_like_call(absl::StatusCode::kCancelled, "stopped")));
  EXPECT_FALSE(server_gone(mismatch()));
  EXPECT_FALSE(server_gone(absl::UnavailableError("the disk is full")));
  EXPECT_FALSE(server_gone(absl::OkStatus()));
}

TEST(Failures, CannotSteerTheTerminal) {
  const std::string text = describe_failure(call_failure(3, "\033[2J\nx", ""), "get", "");
  EXPECT_THAT(text, Not(HasSubstr("\033")));
}

TEST(Failures, SurviveDetailsThatAreNotDetails) {
  const Status status = call_failure(9, "no", "\xff\xff\xff");
  EXPECT_EQ(failure_details(status).reason, "");
  EXPECT_EQ(exit_code(status), 73);
}

}  // namespace
}  // namespace parley::cli
