#include <functional>
#include <limits>
#include <string>

#include <gtest/gtest.h>

#include "services/validate.hpp"
#include "tests/services/checked.hpp"

namespace parley {
namespace {

const Limits k_limits;

/// What is found wrong with a message that was made and then spoilt.
std::string found(const std::function<void(v1::Message&)>& spoil) {
  v1::AppendMessagesRequest request;
  request.set_thread_id("t");
  auto& message = *request.add_messages();
  message.set_role(v1::ROLE_USER);
  message.set_content("hello");
  spoil(message);
  return fields_of(validate(request, k_limits));
}

TEST(ValidateMessages, AcceptsWhatIsAllowed) {
  EXPECT_EQ(found([](v1::Message&) {}), "(accepted)");
  EXPECT_EQ(found([](v1::Message& m) { m.clear_content(); }), "(accepted)");
  EXPECT_EQ(found([](v1::Message& m) { m.set_message_id(std::string(128, 'i')); }), "(accepted)");
  EXPECT_EQ(found([](v1::Message& m) { m.set_source_time("10:17"); }), "(accepted)");
  EXPECT_EQ(found([](v1::Message& m) { m.mutable_cost()->set_currency_code("JPY"); }),
            "(accepted)");
  EXPECT_EQ(found([](v1::Message& m) {
              m.mutable_cost()->set_currency_code("USD");
              m.mutable_cost()->set_units(-1);
              m.mutable_cost()->set_nanos(-999'999'999);
            }),
            "(accepted)");
}

TEST(ValidateMessages, RefusesWhatTheServerAssigns) {
  EXPECT_EQ(
      found([](v1::Message& m) {
        m.set_sequence(1);
        m.mutable_create_time();
        m.set_version(1);
        m.set_source_json("{}");
      }),
      "messages[0].sequence messages[0].create_time messages[0].version messages[0].source_json ");
}

TEST(ValidateMessages, RefusesUnknownRoles) {
  for (const int role : {0, 5, -1, 1000}) {
    EXPECT_EQ(found([&](v1::Message& m) { m.set_role(static_cast<v1::Role>(role)); }),
              "messages[0].role ");
  }
}

TEST(ValidateMessages, BoundsItsTexts) {
  EXPECT_EQ(found([](v1::Message& m) {
              m.set_message_id("a b");
              m.set_name(std::string(257, 'n'));
              m.set_provider(std::string(129, 'p'));
              m.set_model(std::string(129, 'm'));
              m.set_finish_reason(std::string(129, 'f'));
              m.set_source_time(std::string(65, 't'));
              m.set_api_calls(-1);
              m.mutable_processing_time()->set_nanos(-1);
            }),
            "messages[0].message_id messages[0].name messages[0].provider messages[0].model "
            "messages[0].finish_reason messages[0].source_time messages[0].api_calls "
            "messages[0].processing_time ");
}

TEST(ValidateMessages, BoundsSizeAndNumber) {
  // "content" with its tag and length, and the role, in exactly a mebibyte.
  const auto sized = [](size_t bytes) {
    return found([=](v1::Message& m) { m.set_content(std::string(bytes - 6, 'x')); });
  };
  EXPECT_EQ(sized(1U << 20), "(accepted)");
  EXPECT_EQ(sized((1U << 20) + 1), "messages[0] ");

  v1::AppendMessagesRequest request;
  request.set_thread_id("t");
  EXPECT_EQ(fields_of(validate(request, k_limits)), "messages ");
  for (int i = 0; i < 257; ++i) request.add_messages()->set_role(v1::ROLE_TOOL);
  EXPECT_EQ(fields_of(validate(request, k_limits)), "messages ");
  request.mutable_messages()->RemoveLast();
  EXPECT_FALSE(validate(request, k_limits));
  request.mutable_messages(255)->set_role(v1::ROLE_UNSPECIFIED);
  EXPECT_EQ(fields_of(validate(request, k_limits)), "messages[255].role ");
  request.mutable_create_if_missing()->set_user_id("/");
  EXPECT_TRUE(names_field(*validate(request, k_limits), "create_if_missing.user_id"));
}

TEST(ValidateMessages, ChecksParts) {
  EXPECT_EQ(found([](v1::Message& m) { m.add_parts(); }), "messages[0].parts[0] ");
  EXPECT_EQ(found([](v1::Message& m) {
              m.add_parts()->mutable_text();
              m.add_parts()->mutable_tool_call();
              m.add_parts()->mutable_tool_result();
              m.add_parts()->mutable_reasoning();
            }),
            "messages[0].parts[1].tool_call.tool_call_id messages[0].parts[1].tool_call.name "
            "messages[0].parts[2].tool_result.tool_call_id ");
  EXPECT_EQ(found([](v1::Message& m) {
              auto& image = *m.add_parts()->mutable_image();
              image.set_media_type(std::string(129, 'm'));
              image.set_uri(std::string(8193, 'u'));
              auto& file = *m.add_parts()->mutable_file();
              file.set_filename(std::string(257, 'f'));
              file.set_uri(std::string(8192, 'u'));
              auto& call = *m.add_parts()->mutable_tool_call();
              call.set_tool_call_id(std::string(256, 'i'));
              call.set_name(std::string(257, 'n'));
              auto& opaque = *m.add_parts()->mutable_reasoning()->mutable_opaque();
              opaque.mutable_expire_time()->set_nanos(1'000'000'000);
            }),
            "messages[0].parts[0].image.media_type messages[0].parts[0].image.uri "
            "messages[0].parts[1].file.filename messages[0].parts[2].tool_call.name "
            "messages[0].parts[3].reasoning.opaque.expire_time ");
  const auto with_parts = [](int count) {
    return found([=](v1::Message& m) {
      for (int i = 0; i < count; ++i) m.add_parts()->mutable_text();
    });
  };
  EXPECT_EQ(with_parts(256), "(accepted)");
  EXPECT_EQ(with_parts(257), "messages[0].parts ");
}

TEST(ValidateMessages, ChecksUsageAndMoney) {
  EXPECT_EQ(found([](v1::Message& m) {
              m.mutable_usage()->set_prompt_tokens(-1);
              m.mutable_usage()->set_reasoning_tokens(1'000'000'000'001);
              m.mutable_usage()->set_total_tokens(1'000'000'000'000);
            }),
            "messages[0].usage.prompt_tokens messages[0].usage.reasoning_tokens ");
  const auto money = [](const char* currency, int64_t units, int32_t nanos) {
    return found([=](v1::Message& m) {
      m.mutable_cost()->set_currency_code(currency);
      m.mutable_cost()->set_units(units);
      m.mutable_cost()->set_nanos(nanos);
    });
  };
  for (const char* code : {"", "usd", "US", "USDX", "U$D", "ÜS"}) {
    EXPECT_EQ(money(code, 1, 0), "messages[0].cost.currency_code ") << code;
  }
  EXPECT_EQ(money("USD", 1, -1), "messages[0].cost.nanos ");
  EXPECT_EQ(money("USD", -1, 1), "messages[0].cost.nanos ");
  EXPECT_EQ(money("USD", 0, 1'000'000'000), "messages[0].cost.nanos ");
  EXPECT_EQ(money("USD", 0, INT32_MIN), "messages[0].cost.nanos ");
  EXPECT_EQ(money("USD", INT64_MIN, 0), "messages[0].cost.units ");
  EXPECT_EQ(money("USD", 1'000'000'000'000, 999'999'999), "(accepted)");
}

TEST(ValidateMessages, ChecksMetadata) {
  const auto with = [](const std::function<void(google::protobuf::Value&)>& set) {
    return found([&](v1::Message& m) { set((*m.mutable_metadata()->mutable_fields())["k"]); });
  };
  EXPECT_EQ(with([](auto& v) { v.set_number_value(std::numeric_limits<double>::quiet_NaN()); }),
            "messages[0].metadata ");
  EXPECT_EQ(with([](auto& v) { v.set_number_value(-std::numeric_limits<double>::infinity()); }),
            "messages[0].metadata ");
  EXPECT_EQ(with([](auto&) {}), "messages[0].metadata ");
  // {"k":"..."} takes 8 bytes beside the text.
  EXPECT_EQ(with([](auto& v) { v.set_string_value(std::string(65536 - 8, 'x')); }), "(accepted)");
  EXPECT_EQ(with([](auto& v) { v.set_string_value(std::string(65536 - 7, 'x')); }),
            "messages[0].metadata ");
  const auto nested = [&](int depth) {
    return with([=](auto& v) {
      auto* inner = &v;
      for (int i = 0; i < depth; ++i) inner = inner->mutable_list_value()->add_values();
      inner->set_bool_value(true);
    });
  };
  EXPECT_EQ(nested(31), "(accepted)");
  EXPECT_EQ(nested(32), "messages[0].metadata ");
}

TEST(ValidateMessages, ChecksTheProvidersAnswer) {
  EXPECT_EQ(found([](v1::Message& m) {
              auto& headers = *m.mutable_provider_response()->mutable_headers();
              headers["X-Request-Id"] = "1";
              m.mutable_provider_response()->set_status(-1);
            }),
            "messages[0].provider_response.headers messages[0].provider_response.status ");
  EXPECT_EQ(found([](v1::Message& m) {
              auto& headers = *m.mutable_provider_response()->mutable_headers();
              for (int i = 0; i < 65; ++i) headers["h" + std::to_string(i)] = "v";
            }),
            "messages[0].provider_response.headers ");
}

TEST(ValidateMessages, LetsImportsBringTheirSource) {
  v1::Message message;
  message.set_role(v1::ROLE_USER);
  message.set_source_json(R"({"role":"user"})");
  Violations violations;
  check_message(FieldPath("m"), message, MessageSource::import, k_limits, violations);
  EXPECT_TRUE(violations.empty());
  for (const char* text : {"[]", "{", "{}\n", "{}{}", " {}"}) {
    message.set_source_json(text);
    Violations more;
    check_message(FieldPath("m"), message, MessageSource::import, k_limits, more);
    EXPECT_EQ(more.count(), 1U) << text;
  }
}

TEST(ValidateMessages, PassesTheDeepestMetadataThroughEveryAnswer) {
  // protobuf reads 100 levels; the deepest place of a message is within an export.
  v1::ExportConversationsResponse response;
  auto& message = *response.mutable_record()->mutable_messages()->add_messages();
  auto* object = message.mutable_metadata();
  for (size_t i = 1; i < k_limits.metadata_depth; ++i) {
    object = (*object->mutable_fields())["k"].mutable_struct_value();
  }
  (*object->mutable_fields())["k"].set_bool_value(true);
  Violations violations;
  check_metadata(FieldPath("m"), message.metadata(), k_limits, violations);
  EXPECT_TRUE(violations.empty());
  v1::ExportConversationsResponse back;
  EXPECT_TRUE(back.ParseFromString(response.SerializeAsString()));
}

}  // namespace
}  // namespace parley
