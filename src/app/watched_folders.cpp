#include "app/watched_folders.hpp"

namespace pawl::app {

Result<std::unique_ptr<WatchedFolders>> WatchedFolders::make(const std::vector<std::string>& roots,
                                                             const std::vector<std::string>& hidden) {
  PAWL_TRY(watch, functions::FolderWatch::make(roots, hidden));
  return std::unique_ptr<WatchedFolders>(new WatchedFolders(std::move(watch)));
}

void WatchedFolders::follow(const ScheduleId& id, const OrganizationId& organization, const catalog::FileWatch& wish, Listed listed) {
  using Files = Result<std::vector<functions::FolderWatch::File>>;
  auto told = [listed = std::move(listed)](Files files, functions::FolderWatch::Hold hold) {
    if (files.has_error()) return listed(files.error(), std::move(hold));
    std::vector<catalog::WatchedFile> listing;
    listing.reserve(files->size());
    for (auto& file : *files) listing.push_back({std::move(file.path), {file.size, file.modified_ns}});
    listed(std::move(listing), std::move(hold));
  };
  watch_->follow(id.to_string(), {.owner = organization.to_string(), .folder = wish.folder, .glob = wish.glob, .recursive = wish.recursive},
                 std::move(told));
}

}  // namespace pawl::app
