// Runs before anything is painted, while the program itself is still on its way. `PAGES` is put in by the build (scripts/first-page.ts): for each
// kind of address whether it is for people who are signed in, the files that it needs beside those that every page does, and more where there is room.
(function () {
  var chosen = 'system';
  try {
    chosen = localStorage.getItem('pawl.theme') || 'system';
  } catch {}
  var dark = chosen === 'dark' || (chosen !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  var page = document.documentElement;
  page.dataset.theme = dark ? 'dark' : 'light';

  var path = location.pathname.replace(/\/+$/, '') || '/';
  var found = PAGES.find(function (one) {
    return new RegExp('^' + one[0] + '$').test(path);
  });
  var signedIn = /(^|; )(__Host-)?pawl_csrf=/.test(document.cookie);
  if (!found || (found[1] && !signedIn)) return;
  if (found[1]) {
    // The empty frame is painted by the style sheet, and who is signed in is asked for, before the program has been read.
    page.dataset.first = 'inside';
    window.pawlMe = fetch('/api/auth/me', { headers: { 'X-Pawl-Session': 'cookie' } });
    window.pawlMe.catch(function () {});
  }
  var wide = matchMedia('(width >= 48rem)').matches;
  found[2].concat(wide ? found[3] : []).forEach(function (file) {
    var link = document.createElement('link');
    link.rel = file.endsWith('.css') ? 'preload' : 'modulepreload';
    if (link.rel === 'preload') link.as = 'style';
    link.crossOrigin = '';
    link.href = '/' + file;
    document.head.append(link);
  });
})();
