"""Opens every page of the site in a browser, as wide as a desk's, a phone's, and on paper. Run it after `make docs`.
It takes the Chromium of the system, or the one named by `CHROMIUM`; pictures of the pages go to the folder given as
argument, if any."""
import json, os, shutil, sys, threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from playwright.sync_api import sync_playwright

from build import moved, site, src

sizes = dict(desk=(1280, 900), phone=(390, 844), paper=(718, 1015))

class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *args): pass

def kinds(source):
    "How many of what a reader has to find on the page that was made of the notebook `source`"
    cells = json.loads(source.read_text())['cells'] if source.suffix=='.ipynb' else []
    md = ''.join(''.join(c['source'])+'\n' for c in cells if c['cell_type']=='markdown')
    code = [(c, c['metadata'].get('tags', [])) for c in cells if c['cell_type']=='code']
    data = [o.get('data', {}) for c,tags in code if 'remove-output' not in tags for o in c['outputs']]
    inputs = sum('remove-input' not in tags for _,tags in code)
    return {'article .highlight pre': inputs + md.count('```')//2 - md.count('```{toctree}'),
            'article table': ('\n|--' in md) + sum('<table' in ''.join(d.get('text/html', '')) for d in data),
            'article .cell_output img': sum('image/png' in d for d in data), 'article math': '$$' in md}

LOOK = """() => {
    const width = document.documentElement.clientWidth
    const all = css => [...document.querySelectorAll(css)].filter(e => e.getClientRects().length)
    const style = (e, ...values) => values.includes(getComputedStyle(e).overflowX)
    const within = e => e.tagName != 'ARTICLE' && (style(e, 'auto', 'scroll', 'hidden') || within(e.parentElement))
    const name = e => e.tagName + '.' + e.className
    return {
        title: document.querySelector('article h1')?.innerText,
        over: document.documentElement.scrollWidth - width,
        wide: all('article *').filter(e => e.getBoundingClientRect().right > width + 1 && !within(e.parentElement)
                                           && !style(e, 'auto', 'scroll')).map(name).slice(0, 5),
        cut: all('article pre, article table').filter(e => e.scrollWidth > e.clientWidth + 1).map(name),
        empty: [...document.images].filter(i => !i.naturalWidth).map(i => i.src),
        search: !!document.querySelector('input[type=search], input[name=q]'),
        sections: document.querySelectorAll('article h2').length,
        contents: all('.toc-tree').some(e => e.getBoundingClientRect().right <= width)}
}"""

def look(page, url, kind, name):
    "What is wrong with one page at one size"
    bad = []
    page.goto(f'{url}/{name}.html', wait_until='load')
    seen = page.evaluate(LOOK)
    if not seen['title']: bad.append('no title')
    if seen['over']>0 or seen['wide']: bad.append(f'wider than the window by {seen["over"]} pixels: {seen["wide"]}')
    if seen['empty']: bad.append(f'pictures that do not load: {seen["empty"]}')
    for where,n in kinds(next(src.glob(f'{name}.*'))).items():
        if (found := page.locator(where).count())<n: bad.append(f'{found} of {n} {where}')
    if kind=='paper': return bad + [f'cut: {o}' for o in seen['cut']]
    if kind=='phone':
        page.locator('.nav-overlay-icon').first.click()
        page.wait_for_timeout(300)
    elif seen['sections']>1 and not seen['contents']: bad.append('no table of contents')
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

def redirects(page, url):
    "Old addresses that do not lead to the new ones"
    for old,new in moved.items():
        page.goto(f'{url}/{old}.html#there')
        try: page.wait_for_url(f'{url}/{new}.html#there', timeout=10_000)
        except Exception: yield f'{old}.html leads to {page.url}'

def main(shots=None):
    found = filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome')))
    exe = os.environ.get('CHROMIUM') or next(found, None)
    if exe is None: sys.exit('There is no Chromium: install the package `chromium`, or name one in CHROMIUM.')
    if not site.exists(): sys.exit('There is no site yet: run `make docs`.')
    server = ThreadingHTTPServer(('127.0.0.1', 0), partial(Handler, directory=site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url,faults = f'http://127.0.0.1:{server.server_port}',[]
    names = sorted(str(p.relative_to(src).with_suffix('')) for p in src.rglob('*') if p.suffix in ('.ipynb', '.md'))
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=exe, args=['--no-sandbox', '--disable-dev-shm-usage'])
        for kind,(w,h) in sizes.items():
            page = browser.new_page(viewport=dict(width=w, height=h), color_scheme='light')
            if kind=='paper': page.emulate_media(media='print')
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
                    page.screenshot(path=f'{shots}/{kind}-{name.replace("/", "-")}.png', full_page=True)
            if kind!='paper': faults += search(page, url, 'GradientAccumulation') + said
            page.close()
        faults += redirects(browser.new_page(), url)
        browser.close()
    server.shutdown()
    print('\n'.join([*faults, f'{len(names)} pages at {len(sizes)} sizes, {len(faults)} faults']))
    return 1 if faults else 0

if __name__=='__main__': sys.exit(main(*sys.argv[1:2]))
