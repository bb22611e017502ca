#pragma once

#include <string_view>

namespace clarity::control {

/// zstd dictionary (raw content) of the control connection: what its messages and the documents in
/// them have in common, the commonest last. Part of the protocol: a changed one is another frame
/// kind.
inline constexpr char control_words_text[] =
    "unknownsuspectdeadleft\xa7waiting\xab"
    "downloading\xa8starting\xa7stopped\xa6"
    "failed"
    "\xa8refusals\x91\x86\xa8"
    "document\xa6"
    "digest\xa3seq\xa4"
    "code\xa7message\xa2"
    "at\xcf"
    "tcp:///api/v1https://dc-1edge-node-server-"
    "\x85\xa4kind\xa6manifest\xa3key\xa7version\x01\xa6"
    "digest\xc4 \xa4size\xcd"
    "\x85\xa4kind\xa4plan\xa3key\xa7version\xa6"
    "digest\xc4 \xa4size\xcd"
    "\x82\xa4site\xa3"
    "ads\x95\x85\xa4kind\xa4root\xa3key\xa1"
    "1\xa7version\x01\xa6"
    "digest\xc4 "
    "\xa4size\xcd\x85\xa4kind\xa6roster\xa3key\xa7version\xa6"
    "digest\xc4 \xa4size\xcd"
    "\x86\xa4site\xa6server\xd9$\xacroster_epoch\xa8plan_seq\xacroot_version\x01\xa5"
    "agent\xa5"
    "0.1.0"
    "\x83\xa4type\xd9*application/vnd.clarity.record.v1+msgpack\xa7payload\xc5\x01"
    "\xde\x00\x11\xa4site\xa6server\xd9$\xa7version\x82\xabincarnation\x01\xa3seq\xa5"
    "agent\xa5"
    "0.1.0\xa7started\xcf\x00\x00\x01\xa7updated\xcf\x00\x00\x01\xacroster_epoch\xa8plan_seq"
    "\xabplan_digest\xc4 \xb3reaches_coordinator\xc2\xacplan_settled\xc3\xabplan_failed\xc2"
    "\xa8services\x91\x89\xa4name\xa7version\xa5"
    "1.0.0\xa5state\xa7running\xa6health\xa7healthy"
    "\xa5since\xcf\x00\x00\x01\xa4plan\xa8restarts\x00\xa6"
    "detail\xa0\xa5"
    "drift\x90"
    "\xa8holdings\x91\x8a\xa6sha256\xc4 \xa8"
    "artifact\xa7version\xa5"
    "1.0.0\xa4size\xce"
    "\xa6pieces\xa4have\xa8"
    "complete\xc3\xa3wan\x00\xa3lan\xce\xa5"
    "error\xa0"
    "\xa6"
    "claims\x90\xa8refusals\x90\xa7notices\x90"
    "\xaasignatures\x91\x82\xa6key_id\xc4 \xa3sig\xc4@"
    "\x87\xa1s\xd9$\xa1t\xa5"
    "alive\xa1"
    "a\xcd\x01\xa1w\xd9$\xa1i\x01\xa1n\x01\xa1r\xc5\x02"
    "\x89\xa1q\xa1p\xc3\xa1"
    "d\xcf\xa1t\xcf\x00\x00\x01\xa1"
    "f\xcd\xa1x\x90\xa1m\x00\xa1"
    "c\x90\xa1g\x90"
    "\x86\xa1q\x01\xa1t\xcf\x00\x00\x01\xa1"
    "b\x90\xa1w\x90\xa1o\xcf\x00\x00\x00\x01\xa1n\xc5\x01"
    "\x83\xa4type\xd9*application/vnd.clarity.beacon.v1+msgpack\xa7payload\xc4"
    "\x84\xa4site\xa2"
    "at\xcf\x00\x00\x01\xa8plan_seq\xacroster_epoch"
    "\xaasignatures\x91\x82\xa6key_id\xc4 \xa3sig\xc4@";

inline constexpr std::string_view control_words{control_words_text, sizeof control_words_text - 1};

}  // namespace clarity::control
