#include "services/providers/provider_errors.hpp"

#include <optional>
#include <vector>

#include <gtest/gtest.h>

namespace parley {
namespace {

std::optional<ProviderError> error(int status, const char* document,
                                   const ResponseHeaders& headers = {}) {
  return provider_error(status, headers, {Json::parse(document)});
}

TEST(ProviderErrors, AreReadInTheShapesOfAll) {
  EXPECT_EQ(error(404, R"({"error": {"message": "no", "type": "invalid_request_error",
                                     "param": "model", "code": "model_not_found"}})"),
            (ProviderError{"invalid_request_error", "model_not_found", "no", "model"}));
  EXPECT_EQ(error(400, R"({"type": "error", "error": {"type": "invalid_request_error",
                                                      "message": "no"}})"),
            (ProviderError{"invalid_request_error", "400", "no", ""}));
  EXPECT_EQ(
      error(400, R"({"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT"}})"),
      (ProviderError{"INVALID_ARGUMENT", "400", "no", ""}));
  EXPECT_EQ(error(401, R"({"detail": "Unauthorized"})"),
            (ProviderError{"", "401", "Unauthorized", ""}));
  EXPECT_EQ(error(422, R"({"detail": [{"type": "missing", "loc": ["body", "model"],
                                       "msg": "Field required"}]})"),
            (ProviderError{"missing", "422", "Field required", "body.model"}));
  EXPECT_EQ(error(403, R"({"code": "denied", "error": "no"})"),
            (ProviderError{"", "denied", "no", ""}));
  EXPECT_EQ(error(400, R"({"message": "no"})", {{"x-amzn-errortype", "ValidationException:http"}}),
            (ProviderError{"ValidationException", "400", "no", ""}));
}

TEST(ProviderErrors, MayComeUnderStatus200) {
  EXPECT_EQ(error(200, R"({"error": {"code": 502, "message": "upstream"}})"),
            (ProviderError{"", "502", "upstream", ""}));
  EXPECT_EQ(error(200, R"({"type": "response.failed", "response": {"error": {"code": "server_error",
                                                                  "message": "no"}}})"),
            (ProviderError{"", "server_error", "no", ""}));
}

TEST(ProviderErrors, AreNotWhatSaysNothingWentWrong) {
  EXPECT_EQ(error(200, R"({"error": null, "message": {"content": "hi"}})"), std::nullopt);
  EXPECT_EQ(error(0, R"({"id": "x", "errors": []})"), std::nullopt);
}

TEST(ProviderErrors, AreThereForAStatusWithoutABody) {
  EXPECT_EQ(provider_error(503, {}, {}), (ProviderError{"", "503", "", ""}));
}

}  // namespace
}  // namespace parley
