#include "services/transfer_service.hpp"

#include <utility>

#include "services/export_run.hpp"
#include "services/import_run.hpp"
#include "services/validate.hpp"

namespace parley {
namespace {

constexpr int k_waiting = 2;

grpc::Status ending(Node& node, const std::optional<ApiError>& error) {
  if (error) return to_grpc_status(*error);
  if (node.traffic.draining) return to_grpc_status(make_error(ErrorId::server_draining));
  return grpc::Status::OK;
}

}  // namespace

void TransferService::serve(CallQueue& queue) {
  auto out = std::make_shared<Export::Method>(Export::Method{
      node_,
      [this](Export& stream, void* tag) {
        rpcs_.RequestExportConversations(&stream.context(), &stream.request_bytes(), &stream.io(),
                                         stream.queue().get(), stream.queue().get(), tag);
      },
      [this](Export& stream) { return run_export(stream); }, exports_});
  auto in = std::make_shared<Import::Method>(Import::Method{
      node_,
      [this](Import& stream, void* tag) {
        rpcs_.RequestImportConversations(&stream.context(), &stream.io(), stream.queue().get(),
                                         stream.queue().get(), tag);
      },
      [this](Import& stream) { return run_import(stream); }, imports_});
  methods_.push_back(out);
  methods_.push_back(in);
  for (int i = 0; i < k_waiting; ++i) {
    Export::await(*out, queue);
    Import::await(*in, queue);
  }
}

grpc::Status TransferService::run_export(Export& stream) {
  v1::ExportConversationsRequest request;
  if (!parse(stream.request_bytes(), request)) {
    return to_grpc_status(undecodable_request(stream.request_bytes(), request));
  }
  if (auto error = validate(request, node_.environment.limits)) return to_grpc_status(*error);
  ExportRun run(node_, stream.tenant(), request, [&stream](std::string bytes) {
    return !stream.ended() && stream.send(std::move(bytes));
  });
  return ending(node_, run.run());
}

grpc::Status TransferService::run_import(Import& stream) {
  // Why shared: a conversation may still be under way, and report, when the run is over.
  auto waker = stream.weak_from_this();
  const auto send = [&stream](const v1::ImportConversationsResponse& response) {
    return stream.send(response.SerializeAsString());
  };
  ImportRun run(node_, stream.tenant(), send, [waker] {
    if (const auto waiting = waker.lock()) waiting->poke();
  });
  while (!stream.ended()) {
    auto bytes = stream.receive([&run] { run.send_ready(); });
    if (!bytes) break;
    v1::ImportConversationsRequest request;
    const bool listening = parse(*bytes, request)
                               ? run.take(std::move(*request.mutable_record()))
                               : run.take_undecodable(undecodable_request(*bytes, request));
    if (!listening) break;
  }
  run.finish();
  return ending(node_, std::nullopt);
}

}  // namespace parley
