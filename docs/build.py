"""The site without Quarto: nbdev processes the notebooks, this file turns them into pages for Sphinx,
and checks the links of what comes out. Run it from the project's root: `python docs/build.py`."""
import ast, json, re, shutil, subprocess, sys, zlib
from configparser import ConfigParser
from itertools import groupby
from pathlib import Path
from posixpath import dirname, join, normpath, relpath
from urllib.parse import unquote, urldefrag, urlparse

import yaml
from bs4 import BeautifulSoup

root = Path(__file__).resolve().parents[1]
nbs,proc,src,site = root/'nbs',root/'_proc',root/'_sphinx',root/'_site'
cfg = ConfigParser(delimiters=['='])
cfg.read(root/'settings.ini', encoding='utf-8')
cfg = cfg['DEFAULT']
repo,branch,host = cfg['git_url'],cfg['branch'],cfg['doc_host']+cfg['doc_baseurl']

def sidebar():
    "`(caption, pages)` of each section; every notebook must be in it, and nothing else"
    sections = [(o.get('section'), o['contents']) if isinstance(o, dict) else (None, [o])
                for o in yaml.safe_load((nbs/'sidebar.yml').read_text())['website']['sidebar']['contents']]
    listed = [p for _,ps in sections for p in ps]
    found = {p.as_posix() for p in (o.relative_to(nbs) for o in nbs.rglob('*.ipynb'))
             if not any(o[0] in '_.' for o in p.parts)}
    missing,unknown = sorted(found-set(listed)),[p for p in listed if not (nbs/p).exists()]
    twice = sorted({p for p in listed if listed.count(p)>1})
    if missing or unknown or twice:
        sys.exit(f'nbs/sidebar.yml: not listed: {missing}, no such page: {unknown}, listed twice: {twice}')
    return sections

def front(nb):
    "The front matter that nbdev made of the first cell"
    return yaml.safe_load(''.join(nb['cells'][0]['source']).strip().strip('-'))

def links(md, file, pages):
    "`md` of the notebook `file`, with links to notebooks and to their pages on the web as links between our pages"
    folder = dirname(file)
    def link(m, name): return f']({relpath(name, folder or ".")}.ipynb{m[2] or ""})' if name in pages.values() else m[0]
    md = re.sub(r'\]\(([\w./]+\.ipynb)(#[^)\s]*)?\)', lambda m: link(m, pages.get(normpath(join(folder, m[1])))), md)
    md = re.sub(rf'\]\({re.escape(host)}/([\w/]+)\.html(#[^)\s]*)?\)', lambda m: link(m, m[1]), md)
    # the badge would be loaded from elsewhere
    md = re.sub(r'\[!\[([^]]*)\]\(https://colab[^)]*\)\](\(https://colab[^)]*\))', r'[\1]\2{.colab}', md)
    md = re.sub(r'\[(`_\w+`)\]\([^)]*#_\w+\)', r'\1', md) # nbdev links private names, too, which have no place
    return re.sub(r'\{target="_blank"[^}]*\}', '{.source}', md)

def fences(md, f):
    "Apply `f` to `md` outside of its code blocks, and take links out of these"
    parts = re.split(r'(^```.*?^```[^\S\n]*$)', md, flags=re.M|re.S)
    return ''.join(re.sub(r'\[(`[^`]+`)\]\(http[^)]*\)', r'\1', o) if i%2 else f(o) for i,o in enumerate(parts))

def docs_first(cells):
    "`cells` with the `show_doc`s of what a library cell defines before it, in its order; nbdev turns them round"
    def source(c): return ''.join(c['source'])
    def is_library(c): return source(c).startswith('#| code-fold')
    def shown(c): # the name, without its class
        m = re.search(r'^show_doc\((?:\w+\.)?(\w+)\)', source(c), re.M)
        return m[1] if m else None
    res = []
    for _,run in groupby(cells, lambda c: c['cell_type']=='code' and (is_library(c) or shown(c) is not None)):
        run = list(run)
        libs,docs = [o for o in run if is_library(o)],[o for o in run if not is_library(o)]
        for c in libs:
            for name in re.findall(r'^(?:def|class) (\w+)', source(c), re.M):
                res += [o for o in docs if shown(o)==name]
                docs = [o for o in docs if shown(o)!=name]
            res.append(c)
        res += docs[::-1] if libs else run # what is left belongs to a cell whose source is not shown
    return res

def line(file, name):
    "The line in `file` that defines `name`, a method perhaps; nbdev looks in the wrong folder, and finds none"
    top = [o for o in ast.parse((root/file).read_text()).body if hasattr(o, 'name')]
    lines = {f'{o.name}.{m.name}': m.lineno for o in top for m in o.body if hasattr(m, 'name')}
    lines.update({o.name: o.lineno for o in top})
    return lines.get(name) or lines[name.split('.')[-1]] # a patched method stands outside of its class

class Page:
    "The processed notebook `file` on its way to Sphinx"
    def __init__(self, file, pages):
        self.file,self.pages,self.level,self.docs = file,pages,1,[]
        nb = json.loads((proc/file).read_text())
        meta = front(nb)
        about = meta.get('description', '')
        self.cells = [self.head(meta['title'], about, 'code-fold' in str(nb)),
                      *filter(None, map(self.cell, docs_first(nb['cells'][1:])))]
        if file=='index.ipynb': self.cells += map(self.markdown, toctrees(pages))
        for i,c in enumerate(self.cells): c.setdefault('id', f'page-{i}')
        self.metadata = dict(kernelspec=dict(name='python3', display_name='python3'),
                             language_info=dict(name='python', pygments_lexer='ipython3'),
                             myst=dict(html_meta=dict(description=about.replace('`', ''))))

    def markdown(self, text, **kwargs):
        text = fences(text, lambda o: links(o, self.file, self.pages))
        return dict(cell_type='markdown', metadata={}, source=text, **kwargs)

    def head(self, title, about, library):
        edges = ' Code with an orange edge is the library, code with a blue one shows and tests it.'*library
        return self.markdown(f'# {title}\n\n{{.lead}}\n{about}\n\n{{.notebook}}\n'
                             f'This page is the notebook [{self.file}]({repo}/blob/{branch}/nbs/{self.file}).{edges}')

    def cell(self, c):
        text = ''.join(c['source'])
        if c['cell_type']!='code':
            self.docs = []
            if text.startswith('<!-- WARNING'): return
            for l in re.findall(r'^(#+) ', re.sub(r'^```.*?^```', '', text, flags=re.M|re.S), re.M): self.level = len(l)
            return self.markdown(text, id=c['id'])
        said = dict(re.findall(r'^#\|\s*([\w-]+)\s*:?\s*(.*)$', text, re.M))
        if said.get('include')=='false': return
        if said.get('output')=='asis': return self.shown(c)
        if 'code-fold' in said: # the source follows its `show_doc`s: the signature once is enough
            for d in self.docs: d['source'] = re.sub(r'```python\n.*?\n```\n*', '', d['source'], flags=re.S)
        self.docs = []
        hidden = [t for k,t in (('echo','remove-input'), ('output','remove-output')) if said.get(k)=='false']
        printed = ''.join(''.join(o.get('text', '')) for o in c['outputs'])
        kinds = dict(library='code-fold' in said, aligned=re.search(r'\S {3,}\S', printed)) # aligned: it must not wrap
        meta = dict(tags=hidden + [k for k,o in kinds.items() if o])
        if 'fig-alt' in said: meta['mystnb'] = dict(image=dict(alt=said['fig-alt'].strip('"\'')))
        code = re.sub(r'^#\|.*\n?', '', text, flags=re.M).strip('\n')
        if code: return dict(c, metadata=meta, source=code, execution_count=None)

    def shown(self, c):
        "The cell of a `show_doc`: what it gave, as text of the page, with a heading one level below the last"
        mds = [''.join(o['data'].get('text/markdown', '')).removeprefix('---\n') for o in c['outputs'] if 'data' in o]
        md = re.sub(r"<(?:class|function) '?(?:[\w<>]+\.)*(\w+)[^>]*>", r'\1', '\n\n'.join(mds)) # in defaults
        # any callback has these, none of ours takes them
        md = re.sub(r'\(\s*after_create:NoneType=None.*?\)', '()', md, flags=re.S)
        md = re.sub(r'\b(collections\.abc|matplotlib\.axes\._axes)\.(?=[A-Z])', '', md) # in types
        md = re.sub(r'```python\ndef (?=[A-Z])', '```python\nclass ', md)
        md = md.replace('()->None:\n', '()\n')
        name = re.search(r'^#+ (\S+)', md, re.M)[1] # of a method: with the class that has it in its code
        md = re.sub(r'(\w+/\w+\.py)#LNone', lambda m: f'{m[1]}#L{line(m[1], name)}', md)
        name = re.search(r'show_doc\(([\w.]+)', ''.join(c['source']))[1]
        md = re.sub(r'^#+ .*', '#'*min(3, self.level+1)+f' {name}', md, count=1, flags=re.M)
        self.docs.append(self.markdown(md, id=c['id']))
        return self.docs[-1]

def toctrees(pages):
    "Sphinx's tables of contents, one for each section of the sidebar"
    for caption,files in sidebar():
        names = {'index.ipynb': 'Overview <self>', 'api.ipynb': 'api\nIndex of names <genindex>'}
        entries = '\n'.join(names.get(f, pages[f]) for f in files)
        yield f'```{{toctree}}\n:hidden:\n{f":caption: {caption}" if caption else ""}\n\n{entries}\n```'

def convert():
    "Write the pages that Sphinx reads"
    pages = {}
    for f in (f for _,files in sidebar() for f in files):
        name = front(json.loads((proc/f).read_text()))['output-file'] if f.endswith('.ipynb') else f
        pages[f] = join(dirname(f), Path(name).stem)
    shutil.rmtree(src, ignore_errors=True)
    shutil.copytree(nbs/'images', src/'images')
    for f,name in pages.items():
        to = src/(name+Path(f).suffix)
        to.parent.mkdir(exist_ok=True)
        if f.endswith('.ipynb'):
            p = Page(f, pages)
            to.write_text(json.dumps(dict(cells=p.cells, metadata=p.metadata, nbformat=4, nbformat_minor=5)))
        else: shutil.copy(nbs/f, to)

# old addresses, and where their pages are now
moved = dict(bn_freeze='batch_norm', loop='fast_loop', compose='proofs/pairs', benchmarks='proofs/benchmarks',
             faults='proofs/faults', two_processes='proofs/two_processes')

def redirects():
    "Let old addresses lead to the pages of today"
    for old,new in moved.items():
        (site/f'{old}.html').write_text(f'''<!DOCTYPE html>
<title>Moved</title>
<link rel="canonical" href="{host}/{new}.html">
<script>location.replace("{new}.html" + location.hash)</script>
<a href="{new}.html">This page has moved.</a>
''')

def check_links():
    "Every link inside the site leads somewhere, every link to our repository to a file, every picture has a text"
    soups = {p: BeautifulSoup(p.read_text(), 'html.parser') for p in site.rglob('*.html') if '_static' not in p.parts}
    ids = {p: {o['id'] for o in s.find_all(id=True)} | {''} for p,s in soups.items()}
    bad,n = [],0
    for p,s in soups.items():
        for tag,attr in ('a','href'), ('img','src'), ('script','src'), ('link','href'):
            for o in s.find_all(tag, **{attr: True}):
                url,frag = urldefrag(o[attr])
                u = urlparse(url)
                n += 1
                if url.startswith(host) and o.get('rel')!=['canonical']:
                    bad.append((p, o[attr], 'is a page of this site: link to the notebook'))
                elif m := re.match(rf'{re.escape(repo)}/(?:blob|tree)/{branch}/([^#]+)$', url):
                    if not (root/m[1]).exists(): bad.append((p, o[attr], 'is not in the repository'))
                elif not u.scheme and not u.netloc:
                    to = (p.parent/unquote(u.path)).resolve() if u.path else p
                    if to.is_dir(): to = to/'index.html'
                    if not to.exists(): bad.append((p, o[attr], 'is dead'))
                    elif to in ids and unquote(frag) not in ids[to]:
                        bad.append((p, o[attr], 'has no such place on its page'))
                elif tag!='a' and o.get('rel')!=['canonical']: bad.append((p, o[attr], 'is loaded from elsewhere'))
        for o in s.find_all(string=lambda t: '](' in t):
            if not o.find_parent(('pre', 'code', 'script')):
                bad.append((p, str(o).strip()[:60], 'is a link that did not become one'))
        for o in s.find_all('img'):
            alt = o.get('alt', '')
            if len(alt)<20 or '_images' in alt:
                bad.append((p, o['src'][-40:], 'is a picture without text: begin its cell with `#| fig-alt: …`'))
    for p,what,why in bad: print(f'{p.relative_to(site)}: {what} {why}')
    print(f'{len(soups)} pages, {n} links, {len(bad)} faults')
    return not bad

def check_titles():
    "nbdev makes a page's title of the first cell, and drops what else is in it"
    bad = []
    for f in (o for _,files in sidebar() for o in files if o.endswith('.ipynb')):
        first = ''.join(json.loads((nbs/f).read_text())['cells'][0]['source']).strip()
        if not re.fullmatch(r'# .+\n+> .+(\n+- [\w-]+: .+)*', first): bad.append(f)
    if bad: print(f'the first cell is more, or less, than title and summary: {", ".join(bad)}')
    return not bad

def check_names():
    "Other projects can link to all that is public: `objects.inv` has each name, and a place on a page for it"
    public = [(m, o.value) for m in ('all', 'conform') for o in ast.parse((root/f'tweaks/{m}.py').read_text()).body
              if isinstance(o, ast.Assign) and o.targets[0].id=='__all__']
    rows = zlib.decompress((site/'objects.inv').read_bytes().split(b'\n', 4)[4]).decode().splitlines()
    places = {name: place for name,kind,_,place,_ in (o.split(maxsplit=4) for o in rows) if kind.startswith('py:')}
    bad = []
    for name in (f'tweaks.{m}.{o}' for m,names in public for o in ast.literal_eval(names)):
        page,_,anchor = places.get(name, '').replace('$', name).partition('#')
        if not page or f'id="{anchor}"' not in (site/page).read_text(): bad.append(name)
    print(f'{len(places)} names in objects.inv; missing: {", ".join(bad) or "none"}')
    return not bad

def run(*args):
    if subprocess.run([str(o) for o in args], cwd=root).returncode: sys.exit(1)

if __name__=='__main__':
    if '--keep' not in sys.argv: # process anew
        run(sys.executable, '-W', 'ignore', '-c', 'from nbdev.serve import proc_nbs; proc_nbs(force=True)')
    convert()
    shutil.rmtree(site, ignore_errors=True)
    run(sys.executable, '-W', 'ignore', '-m', 'sphinx', '-W', '--keep-going', '-q', '-b', 'html', '-d', src/'.doctrees',
        '-c', root/'docs', src, site)
    redirects()
    shutil.rmtree(root/'jupyter_execute', ignore_errors=True) # myst-nb's copies of the notebooks
    sys.exit(not all([check_links(), check_names(), check_titles()]))
