/// The folders that workflows watch: what the scheduler asks for, done by the watch of `functions/`.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "catalog/watched_folders.hpp"
#include "functions/folder_watch.hpp"

namespace pawl::app {

class WatchedFolders final : public catalog::WatchedFolders {
 public:
  [[nodiscard]] static Result<std::unique_ptr<WatchedFolders>> make(const std::vector<std::string>& roots,
                                                                    const std::vector<std::string>& hidden);

  [[nodiscard]] Result<void> check(const std::string& folder) const override { return watch_->check(folder); }
  void follow(const ScheduleId& id, const OrganizationId& organization, const catalog::FileWatch& wish, Listed listed) override;
  void look(const ScheduleId& id) override { watch_->look(id.to_string()); }
  void forget(const ScheduleId& id) override { watch_->forget(id.to_string()); }

 private:
  explicit WatchedFolders(std::unique_ptr<functions::FolderWatch> watch) : watch_(std::move(watch)) {}
  std::unique_ptr<functions::FolderWatch> watch_;
};

}  // namespace pawl::app
