#pragma once

#include <optional>

#include "conversation/limits.hpp"
#include "parley/v1/provider.pb.h"
#include "services/providers/extraction.hpp"
#include "services/violations.hpp"

/// Between the API's messages about providers and what services/providers knows.
namespace parley {

/// Everything that is wrong with the request, or nothing.
std::optional<ApiError> validate(const v1::ExtractMetadataRequest& request, const Limits& limits);
std::optional<ApiError> validate(const v1::GetProviderRequest& request, const Limits& limits);

/// What is to be extracted, as a request asks for it; the request must be valid and stay where it
/// is.
struct ExtractionOrder {
  explicit ExtractionOrder(const v1::ExtractMetadataRequest& request);

  RawResponse response;
  std::vector<WantedValue> wanted;
};

/// `status` is the one that the caller told.
void fill_metadata(const Extraction& extraction, int status, v1::ResponseMetadata& out);

}  // namespace parley
