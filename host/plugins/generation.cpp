// SPDX-License-Identifier: Apache-2.0
#include "plugins/generation.h"

#include "plugins/call.h"

namespace belfry::plugins {

bool may_pass(ErrorCode code) noexcept {
    return code == ErrorCode::Unavailable || code == ErrorCode::Busy || code == ErrorCode::DeadlineExceeded;
}

void Generation::adapt(const void* table) {
    belfry_instance* instance = instance_.get();
    switch (component_.component->kind) {
        case Kind::Storage:
            adapter_.emplace<Storage>(static_cast<const belfry_storage*>(table), instance, *faults_);
            break;
        case Kind::Queue:
            adapter_.emplace<Queue>(static_cast<const belfry_queue*>(table), instance, *faults_);
            break;
        case Kind::Provider:
            adapter_.emplace<Provider>(static_cast<const belfry_provider*>(table), instance, *faults_);
            break;
        case Kind::Sink:
            adapter_.emplace<Sink>(static_cast<const belfry_sink*>(table), instance, *faults_);
            break;
    }
}

Result<std::unique_ptr<Generation>> Generation::begin(const PreparedComponent& component, HostFactory& hosts,
                                                      std::shared_ptr<Faults> faults, uint64_t number,
                                                      int64_t deadline_mono_ns) {
    std::unique_ptr<Generation> generation(new Generation(component, std::move(faults), number));
    const belfry_plugin& plugin = component.plugin->table;
    const std::shared_ptr<SecretStore> secrets = component.secrets;
    generation->host_ =
        hosts.make({component.instance, component.plugin->manifest.id, component.component->kind, component.settings,
                    [secrets](std::string_view id) { return secrets->read(id); }, false});
    Result<InstancePtr> instance = create_instance(plugin, generation->host_->abi(), component.component->name,
                                                   component.config, component.instance);
    if (!instance) return instance.error();
    generation->instance_ = std::move(*instance);
    const Result<const void*> table =
        interface_of(plugin, generation->instance_.get(), *component.component, component.plugin->file);
    if (!table) return table.error();
    const Result<const void*> limiter =
        limiter_of(plugin, generation->instance_.get(), *component.component, component.plugin->file);
    if (!limiter) return limiter.error();
    Door door(generation->instance_.get(), *generation->faults_, 0);
    const Status started =
        door.call("start", [&](belfry_instance* i, belfry_why* why) { return plugin.start(i, deadline_mono_ns, why); });
    if (!started) return started.error();
    secrets->wipe();
    generation->host_->started();
    generation->adapt(*table);
    if (*limiter != nullptr)
        generation->limiter_.emplace(static_cast<const belfry_limiter*>(*limiter), generation->instance_.get(),
                                     *generation->faults_);
    return generation;
}

}  // namespace belfry::plugins
