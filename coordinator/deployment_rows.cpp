#include "coordinator/deployment_rows.hpp"

#include "coordinator/clock.hpp"

namespace clarity::coordinator {

Json row_to_store(const DeploymentRow& row) {
    return Json{{"id", row.id},
                {"seq", row.seq},
                {"site", row.site},
                {"environment", row.environment},
                {"digest", row.digest.hex()},
                {"inventory", row.inventory.hex()},
                {"basis", row.basis.hex()},
                {"created", row.created_unix_s},
                {"by", row.by},
                {"correlation_id", row.correlation_id},
                {"rollback_of", row.rollback_of},
                {"state", name_of(row.state)},
                {"servers", row.servers}};
}

Result<DeploymentRow> row_from_store(const Json& json) {
    DeploymentRow out;
    CLARITY_TRY(out.id, json_get<std::string>(json, "id"));
    CLARITY_TRY(out.seq, json_get<std::uint64_t>(json, "seq"));
    CLARITY_TRY(out.site, json_get<std::string>(json, "site"));
    CLARITY_TRY(out.environment, json_get<std::string>(json, "environment"));
    CLARITY_TRY(out.digest, Digest::from_hex(json_or<std::string>(json, "digest", "")));
    CLARITY_TRY(out.inventory, Digest::from_hex(json_or<std::string>(json, "inventory", "")));
    CLARITY_TRY(out.basis, Digest::from_hex(json_or<std::string>(json, "basis", "")));
    CLARITY_TRY(out.created_unix_s, json_get<std::int64_t>(json, "created"));
    out.by = json_or<std::string>(json, "by", "");
    out.correlation_id = json_or<std::string>(json, "correlation_id", "");
    out.rollback_of = json_or<std::string>(json, "rollback_of", "");
    out.state = deployment_state_from(json_or<std::string>(json, "state", "pending"));
    CLARITY_TRY(out.servers, json_get<std::vector<std::string>>(json, "servers"));
    return out;
}

Json deployment_json(const DeploymentRow& row) {
    return Json{{"id", row.id},
                {"seq", row.seq},
                {"site", row.site},
                {"environment", row.environment},
                {"state", name_of(row.state)},
                {"digest", row.digest.hex()},
                {"created_at", utc_text(row.created_unix_s)},
                {"by", row.by},
                {"correlation_id", row.correlation_id},
                {"rollback_of", row.rollback_of}};
}

}  // namespace clarity::coordinator
