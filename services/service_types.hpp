#pragma once

#include "parley/v1/admin.grpc.pb.h"
#include "parley/v1/conversation.grpc.pb.h"

namespace parley {

/// The services as they are served: every method asynchronous and in bytes, so that answers can be
/// put together from stored bytes.
using ConversationRpcs = v1::ConversationService::WithRawMethod_CreateConversation<
    v1::ConversationService::WithRawMethod_GetConversation<
        v1::ConversationService::WithRawMethod_BatchGetConversations<
            v1::ConversationService::WithRawMethod_ListConversations<
                v1::ConversationService::WithRawMethod_UpdateConversation<
                    v1::ConversationService::WithRawMethod_DeleteConversation<
                        v1::ConversationService::WithRawMethod_ResetConversation<
                            v1::ConversationService::WithRawMethod_ForkConversation<
                                v1::ConversationService::WithRawMethod_AppendMessages<
                                    v1::ConversationService::WithRawMethod_ListMessages<
                                        v1::ConversationService::WithRawMethod_RecordUsage<
                                            v1::ConversationService::WithRawMethod_GetUsage<
                                                v1::ConversationService::
                                                    WithRawMethod_WatchConversation<
                                                        v1::ConversationService::
                                                            WithRawMethod_ExportConversations<
                                                                v1::ConversationService::
                                                                    WithRawMethod_ImportConversations<
                                                                        v1::ConversationService::
                                                                            Service>>>>>>>>>>>>>>>;

using AdminRpcs = v1::AdminService::WithRawMethod_GetServerInfo<
    v1::AdminService::WithRawMethod_LocateConversation<v1::AdminService::WithRawMethod_CreateBackup<
        v1::AdminService::WithRawMethod_ListBackups<v1::AdminService::WithRawMethod_VerifyStorage<
            v1::AdminService::WithRawMethod_GetCluster<
                v1::AdminService::WithRawMethod_MoveShards<v1::AdminService::Service>>>>>>>;

}  // namespace parley
