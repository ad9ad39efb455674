(function () {
  var chosen = 'system';
  try {
    chosen = localStorage.getItem('pawl.theme') || 'system';
  } catch {}
  var dark = chosen === 'dark' || (chosen !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
})();
