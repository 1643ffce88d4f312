"""The page around its sections: nothing in it asks anything of the network."""

from __future__ import annotations

from string import Template

PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<link rel="icon" href="data:,">
<title>$title</title>
<style>
:root { color-scheme: light dark; --ink: #1c1d21; --page: #ffffff; --soft: #f0f2f5; --line: #cfd4dc; --mark: #b34700;
  --mark-page: #fff3e3; --shade: #00000055; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e7ea; --page: #15171b; --soft: #22252b; --line: #3d424b; --mark: #ffb066; --mark-page: #33240f;
    --shade: #ffffff66; }
}
* { box-sizing: border-box; }
body { max-width: 62rem; margin: 0 auto; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif; color: var(--ink);
  background: var(--page); overflow-wrap: anywhere; }
h1 { margin: 0.5rem 0 0; line-height: 1.2; }
h2 { margin: 2.5rem 0 0.5rem; line-height: 1.2; }
.result { font-size: 1.2rem; }
.result strong { white-space: nowrap; }
.caution { padding: 0.6rem 0.8rem; border-left: 0.3rem solid var(--mark); background: var(--mark-page); }
.caution strong { color: var(--mark); }
/* A shade at the side where there is more: a cover in the colour of the page, which scrolls, hides it at the end. */
.scroll { overflow-x: auto; background:
  linear-gradient(to right, var(--page) 40%, transparent) left / 2.5rem 100% no-repeat local,
  linear-gradient(to left, var(--page) 40%, transparent) right / 2.5rem 100% no-repeat local,
  linear-gradient(to right, var(--shade), transparent) left / 0.8rem 100% no-repeat scroll,
  linear-gradient(to left, var(--shade), transparent) right / 0.8rem 100% no-repeat scroll; }
.hint { display: none; margin: 0.2rem 0 1rem; }
.hint, figcaption { font-size: 0.9rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
th, td { padding: 0.35rem 0.7rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th { background: var(--soft); vertical-align: bottom; }
tbody th { min-width: 8rem; font-weight: 500; }
@media (max-width: 40rem) { th, td { padding: 0.3rem 0.25rem; } table { font-size: 0.85rem; }
  tbody th { min-width: 5rem; } .hint { display: block; } }
.numbers td { white-space: nowrap; }
.numbers td, .numbers thead th:not(:first-child) { text-align: right; }
.words { overflow-wrap: anywhere; }
@media (min-width: 40.01rem) { .words td { min-width: 14rem; } }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 1rem; }
.grid > :only-child { max-width: 40rem; }
figure { min-width: 0; margin: 0; }
img { display: block; width: 100%; max-width: 100%; border-radius: 0.4rem; background: #ffffff; }
details { margin: 0.5rem 0; }
summary { padding: 0.35rem 0; font-weight: 600; cursor: pointer; }
pre { padding: 0.7rem; white-space: pre-wrap; background: var(--soft); }
pre span { display: inline-block; word-break: break-all; }  /* a line ends between arguments where it can */
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.3rem 1rem; }
dt { font-weight: 600; }
dd { min-width: 0; margin: 0; }
</style>
</head>
<body>
$body
</body>
</html>
""")
