#include "services/error_table.hpp"

#include <set>

#include "google/rpc/error_details.pb.h"
#include <gtest/gtest.h>

#include "tests/services/checked.hpp"
#include "tests/services/readme_table.hpp"

namespace parley {
namespace {

template <class Detail>
std::optional<Detail> detail_of(const google::rpc::Status& status) {
  Detail detail;
  for (const auto& any : status.details()) {
    if (any.UnpackTo(&detail)) return detail;
  }
  return std::nullopt;
}

const ConversationKey k_key{"acme", "t-1"};

TEST(ErrorTable, HasOneWellFormedRowForEachReason) {
  std::set<std::string_view> reasons;
  for (const ErrorRow& row : error_table()) {
    EXPECT_TRUE(reasons.insert(row.reason).second) << row.reason;
    EXPECT_LE(row.reason.size(), 63U);
    EXPECT_EQ(row.reason.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ_"), std::string_view::npos);
    EXPECT_TRUE(row.advice.ends_with('.')) << row.reason;
    EXPECT_NE(row.code, absl::StatusCode::kOk);
    // Clients retry UNAVAILABLE by themselves: each such answer must say when.
    if (row.code == absl::StatusCode::kUnavailable) {
      EXPECT_GT(row.retry_after_ms, 0) << row.reason;
    }
  }
}

TEST(ErrorTable, GivesTheCodesThatTheApiPromises) {
  using Code = absl::StatusCode;
  const std::map<Reason, Code> promised = {
      {Reason::conversation_not_found, Code::kNotFound},
      {Reason::conversation_exists, Code::kAlreadyExists},
      {Reason::conversation_archived, Code::kFailedPrecondition},
      {Reason::version_mismatch, Code::kAborted},
      {Reason::version_not_reached, Code::kFailedPrecondition},
      {Reason::version_in_future, Code::kOutOfRange},
      {Reason::version_not_retained, Code::kFailedPrecondition},
      {Reason::request_id_reused, Code::kInvalidArgument},
      {Reason::sequence_out_of_range, Code::kOutOfRange},
      {Reason::too_many_forks, Code::kResourceExhausted},
      {Reason::fork_too_deep, Code::kResourceExhausted},
      {Reason::too_many_waiting, Code::kResourceExhausted},
      {Reason::too_many_labels, Code::kResourceExhausted},
      {Reason::metadata_too_large, Code::kResourceExhausted},
      {Reason::metadata_invalid, Code::kInvalidArgument},
      {Reason::not_owner, Code::kUnavailable},
  };
  for (const auto& [reason, code] : promised) {
    EXPECT_EQ(error_of(Refusal{reason, {}, {}}, k_key).code, code);
  }
  EXPECT_EQ(error_of(Failure::not_owner, k_key).reason, "NOT_OWNER");
  EXPECT_EQ(error_of(Failure::not_written, k_key).code, Code::kUnavailable);
  EXPECT_EQ(error_of(Failure::unknown, k_key).reason, "OUTCOME_UNKNOWN");
  // A database that broke a session off, or may not be written: another try, or another server.
  EXPECT_EQ(error_of(absl::UnknownError(""), k_key).reason, "STORAGE_UNAVAILABLE");
  EXPECT_EQ(error_of(absl::FailedPreconditionError(""), k_key).reason, "STORAGE_UNAVAILABLE");
  EXPECT_EQ(error_of(absl::InternalError(""), k_key).reason, "INTERNAL");
}

TEST(ErrorTable, TellsTheCurrentVersionOnMismatch) {
  const ApiError error = error_of(Refusal{Reason::version_mismatch, {7}, {}}, k_key);
  EXPECT_EQ(error.metadata.at("current_version"), "7");
  EXPECT_NE(error.message.find("is 7,"), std::string::npos) << error.message;
  const auto status = to_rpc_status(error);
  EXPECT_EQ(status.code(), 10);
  const auto info = detail_of<google::rpc::ErrorInfo>(status);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->reason(), "VERSION_MISMATCH");
  EXPECT_EQ(info->domain(), "parley");
  EXPECT_EQ(info->metadata().at("current_version"), "7");
  EXPECT_EQ(info->metadata().at("thread_id"), "t-1");
  EXPECT_FALSE(detail_of<google::rpc::RetryInfo>(status));
}

TEST(ErrorTable, NamesWhatARefusalCarries) {
  const std::map<Reason, std::string> names = {
      {Reason::sequence_out_of_range, "last_sequence"}, {Reason::too_many_labels, "labels"},
      {Reason::metadata_too_large, "metadata_bytes"},   {Reason::metadata_invalid, "problem"},
      {Reason::version_not_retained, "reset_version"},
  };
  for (uint8_t i = 0; i <= static_cast<uint8_t>(Reason::not_owner); ++i) {
    const auto reason = static_cast<Reason>(i);
    ErrorMetadata carried = {{"thread_id", "t-1"}, {"current_version", "9"}};
    if (const auto name = names.find(reason); name != names.end()) carried[name->second] = "7";
    EXPECT_EQ(error_of(Refusal{reason, {9}, "7"}, k_key).metadata, carried)
        << error_table()[i].reason;
  }
}

TEST(ErrorTable, SaysWhenToRetryAndWhichLimit) {
  const auto status = to_rpc_status(error_of(Refusal{Reason::too_many_waiting, {}, {}}, k_key));
  const auto retry = detail_of<google::rpc::RetryInfo>(status);
  ASSERT_TRUE(retry);
  EXPECT_EQ(retry->retry_delay().nanos(), 100'000'000);
  const auto quota = detail_of<google::rpc::QuotaFailure>(status);
  ASSERT_TRUE(quota);
  EXPECT_EQ(quota->violations(0).subject(), "thread:t-1");
}

TEST(ErrorTable, KeepsInnerWordsInside) {
  const ApiError error = error_of(absl::DataLossError("rocksdb: block 7 of /var/lib/x"), k_key);
  EXPECT_EQ(error.reason, "STORAGE_DAMAGED");
  EXPECT_EQ(error.message.find("rocksdb"), std::string::npos);
  EXPECT_EQ(error_of(absl::NotFoundError("")).reason, "CONVERSATION_NOT_FOUND");
  EXPECT_EQ(error_of(absl::UnavailableError("")).reason, "STORAGE_UNAVAILABLE");
  EXPECT_EQ(error_of(absl::InternalError("")).reason, "INTERNAL");
}

TEST(ErrorTable, NamesTheFieldOfAnId) {
  const ApiError error = error_of(check_id("thread_id", "a/b"));
  EXPECT_EQ(error.reason, "INVALID_FIELD");
  EXPECT_TRUE(names_field(error, "thread_id"));
}

TEST(ErrorTable, FillsEverySentence) {
  const ErrorMetadata metadata = {{"thread_id", "t"},    {"current_version", "3"},
                                  {"node", "parley-1"},  {"count", "2"},
                                  {"thread_ids", "a,b"}, {"provider", "p"}};
  for (const ErrorRow& row : error_table()) {
    const ApiError error = error_with_reason(row.reason, metadata);
    EXPECT_EQ(error.message.find_first_of("{}"), std::string::npos) << error.message;
    EXPECT_EQ(error.message.find("(not given)"), std::string::npos) << error.message;
    EXPECT_TRUE(detail_of<google::rpc::ErrorInfo>(to_rpc_status(error)));
  }
}

TEST(ErrorTable, StaysBelowFourKibibytesWhateverItIsAbout) {
  Violations violations;
  for (int i = 0; i < 1000; ++i) {
    violations.add(std::string(5'000, 'f'), in_quotes(std::string(5'000, '\x01')));
  }
  ApiError error = violations.error();
  for (int i = 0; i < 100; ++i) error.metadata["key" + std::to_string(i)] = std::string(9'999, 'v');
  error.metadata["text"] = "ä" + std::string(1, 'x');
  error.message.append(9'999, 'm');
  error.retry_after_ms = 1'500;
  error.quota_subject = std::string(9'999, 'q');
  EXPECT_LE(to_rpc_status(error).ByteSizeLong(), 4096U);
}

TEST(ErrorTable, CutsBetweenCharacters) {
  ApiError error = make_error(ErrorId::internal);
  error.message = std::string(639, 'a') + "äöü";
  EXPECT_EQ(to_rpc_status(error).message(), std::string(639, 'a') + "...");
}

TEST(ErrorTable, IsWhatTheReadmeShows) {
  const auto shown = readme_table("error table", error_table_markdown());
  if (!shown) GTEST_SKIP() << "README.md has no <!-- error table --> with its end";
  EXPECT_EQ(*shown, error_table_markdown());
}

TEST(Violations, CountsWhatItDoesNotKeep) {
  Violations violations;
  for (int i = 0; i < 100; ++i) violations.add("f", "d");
  EXPECT_EQ(violations.kept().size(), Violations::k_kept);
  EXPECT_NE(violations.error().message.find("(and 99 more)"), std::string::npos);
}

TEST(ErrorTable, ComesBackFromAnotherNodeAsItWas) {
  for (const ErrorRow& row : error_table()) {
    ApiError error = make_error(row.id, {{"thread_id", "t"}, {"current_version", "7"}});
    error.violations = {{"messages[3].content", "too long"}};
    const ApiError back = from_rpc_status(to_rpc_status(error));
    EXPECT_EQ(back.code, error.code) << row.reason;
    EXPECT_EQ(back.reason, error.reason);
    EXPECT_EQ(back.message, error.message);
    EXPECT_EQ(back.metadata, error.metadata);
    EXPECT_EQ(back.violations, error.violations);
    EXPECT_EQ(back.retry_after_ms, error.retry_after_ms);
    EXPECT_EQ(back.quota_subject, error.quota_subject);
  }
}

}  // namespace
}  // namespace parley
