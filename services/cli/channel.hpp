#pragma once

// Includes gRPC: for the few files that make calls themselves.
#include <memory>

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include "services/cli/session.hpp"

namespace parley::cli {

/// Calls any method by its path, with any protobuf message.
using AnyStub =
    grpc::TemplatedGenericStub<google::protobuf::MessageLite, google::protobuf::MessageLite>;

/// A channel with a TCP connection of its own.
std::shared_ptr<grpc::Channel> open_channel(const Connection& connection);
/// Tenant and deadline of one call; `deadline` absent means none.
void prepare(const Connection& connection, std::optional<Micros> deadline,
             grpc::ClientContext* context);
Status to_status(const grpc::Status& status);

}  // namespace parley::cli
