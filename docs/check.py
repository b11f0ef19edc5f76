"""Opens every page of the built site in a browser, at the width of a desk and of a phone. Run it after `make docs`: `make check-docs`.
It takes the Chromium of the system (or the one named by `CHROMIUM`); pictures of the pages go to the folder given as argument, if any."""
import json, os, shutil, sys, threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import sync_playwright

site = Path(__file__).resolve().parents[1]/'_site'
sizes = dict(desktop=(1440, 900), phone=(390, 844))

class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *args): pass

def kinds(source):
    "What a reader has to find on the page that was made of the notebook `source`"
    cells = json.loads(source.read_text())['cells'] if source.suffix=='.ipynb' else []
    shown = [c for c in cells if c['cell_type']=='code']
    md = ''.join(''.join(c['source'])+'\n' for c in cells if c['cell_type']=='markdown')
    data = [o.get('data', {}) for c in shown if 'remove-output' not in c['metadata'].get('tags', []) for o in c['outputs']]
    code = sum('remove-input' not in c['metadata'].get('tags', []) for c in shown)
    return {'article .highlight pre': code + md.count('```')//2 - md.count('```{toctree}'),
            'article table': ('\n|--' in md) + sum('<table' in ''.join(d.get('text/html', '')) for d in data),
            'article .cell_output img': sum('image/png' in d for d in data), 'article math': '$$' in md}

LOOK = """() => {
    const wide = document.documentElement.clientWidth, visible = e => e.offsetParent !== null || e.getClientRects().length > 0
    const scrolls = e => { for (let p = e.parentElement; p && p.tagName !== 'ARTICLE'; p = p.parentElement) if (['auto','scroll','hidden'].includes(getComputedStyle(p).overflowX)) return true; return false }
    return {over: document.documentElement.scrollWidth - wide,
            wide: [...document.querySelectorAll('article *')].filter(e => visible(e) && e.getBoundingClientRect().right > wide + 1 && !scrolls(e)
                                                                    && !['auto','scroll'].includes(getComputedStyle(e).overflowX)).map(e => e.tagName + '.' + e.className).slice(0, 5),
            empty: [...document.images].filter(i => visible(i) && !i.naturalWidth).map(i => i.src),
            title: (document.querySelector('article h1') || {}).innerText || '', search: !!document.querySelector('input[type=search], input[name=q]')}
}"""

def look(page, url, kind, name):
    "What is wrong with one page at one size"
    bad = []
    page.goto(f'{url}/{name}.html', wait_until='load')
    seen = page.evaluate(LOOK)
    if not seen['title']: bad.append('no title')
    if seen['over']>0 or seen['wide']: bad.append(f'wider than the window by {seen["over"]} pixels: {seen["wide"]}')
    if seen['empty']: bad.append(f'pictures that do not load: {seen["empty"]}')
    source = next((site.parent/'_sphinx').glob(f'{name}.*'))
    for where,n in kinds(source).items():
        if (found := page.locator(where).count())<n: bad.append(f'{found} of {n} {where}')
    if kind=='phone': page.locator('.nav-overlay-icon').first.click()
    page.wait_for_timeout(300 if kind=='phone' else 0)
    if not page.locator('.sidebar-tree').is_visible(): bad.append('no sidebar')
    if not seen['search']: bad.append('no search')
    return bad

def search(page, url, word):
    "What is wrong with the search for `word`"
    page.goto(f'{url}/index.html')
    if page.locator('.nav-overlay-icon').first.is_visible(): page.locator('.nav-overlay-icon').first.click()
    page.locator('.sidebar-search').fill(word)
    page.locator('.sidebar-search').press('Enter')
    try: page.wait_for_selector('#search-results li a', timeout=10_000)
    except Exception: return [f'the search does not find {word}']
    page.wait_for_timeout(500)
    found = page.locator('#search-results li a').evaluate_all('as => as.map(a => a.getAttribute("href"))')
    return [] if any('accumulate.html' in o for o in found) else [f'the search for {word} finds {found}']

def main(shots=None):
    exe = os.environ.get('CHROMIUM') or next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)
    if exe is None: sys.exit('There is no Chromium: install the package `chromium`, or name one in the variable CHROMIUM.')
    if not site.exists(): sys.exit('There is no site yet: run `make docs`.')
    server = ThreadingHTTPServer(('127.0.0.1', 0), partial(Handler, directory=site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url,faults = f'http://127.0.0.1:{server.server_port}',[]
    names = sorted(p.stem for p in site.glob('*.html') if p.stem not in ('genindex', 'search', 'py-modindex'))
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=exe, args=['--no-sandbox', '--disable-dev-shm-usage'])
        for kind,(w,h) in sizes.items():
            page = browser.new_page(viewport=dict(width=w, height=h), color_scheme='light')
            said = []
            page.on('pageerror', lambda e: said.append(f'script error: {e}'))
            page.on('console', lambda m: m.type=='error' and said.append(f'on the console: {m.text}'))
            page.on('request', lambda r: r.url.startswith((url, 'data:', 'blob:')) or said.append(f'asks for {r.url}'))
            for name in names:
                bad = look(page, url, kind, name) + said
                said.clear()
                faults += [f'{name}, {kind}: {o}' for o in bad]
                if shots:
                    page.goto(f'{url}/{name}.html')
                    page.screenshot(path=f'{shots}/{kind}-{name}.png', full_page=True)
            faults += search(page, url, 'GradientAccumulation') + said
            if shots: page.screenshot(path=f'{shots}/{kind}-search.png')
            page.close()
        browser.close()
    server.shutdown()
    print('\n'.join([*faults, f'{len(names)} pages at {len(sizes)} sizes, {len(faults)} faults']))
    return 1 if faults else 0

if __name__=='__main__': sys.exit(main(*sys.argv[1:2]))
