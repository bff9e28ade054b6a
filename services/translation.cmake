# The pure translation between the API's messages and the domain: no gRPC, no actors, no storage.
parley_library(NAME translation
  SRCS violations.cpp error_table.cpp error_details.cpp limits_table.cpp field_path.cpp validate.cpp validate_messages.cpp
       metadata_json.cpp wire.cpp translate_requests.cpp translate_answers.cpp translate_reads.cpp
       watch_answers.cpp page_token.cpp utf8_path.cpp json_scan.cpp jsonl.cpp jsonl_export.cpp import_pieces.cpp
  DEPS parley::conversation parley::base parley_api_proto parley_rpc_proto
       nlohmann_json::nlohmann_json protobuf::libprotobuf absl::strings)
