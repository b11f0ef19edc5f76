"""The site without Quarto: nbdev processes the notebooks, this file turns them into pages for Sphinx, and checks the links of what comes out.
Run it from the project's root: `python docs/build.py`."""
import json, re, shutil, subprocess, sys
from collections import defaultdict
from configparser import ConfigParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlparse

import yaml
from bs4 import BeautifulSoup

root = Path(__file__).resolve().parents[1]
proc,src,site = root/'_proc',root/'_sphinx',root/'_site'
cfg = ConfigParser(delimiters=['='])
cfg.read(root/'settings.ini', encoding='utf-8')
cfg = cfg['DEFAULT']
repo,branch,host = cfg['git_url'],cfg['branch'],cfg['doc_host']+cfg['doc_baseurl']

def sidebar():
    "`(caption, pages)` of each section; every notebook must be in it, and nothing else"
    sections = [(o.get('section'), o['contents']) if isinstance(o, dict) else (None, [o])
                for o in yaml.safe_load((root/'nbs'/'sidebar.yml').read_text())['website']['sidebar']['contents']]
    listed = [p for _,ps in sections for p in ps]
    found = [p.name for p in (root/'nbs').glob('*.ipynb') if p.name[0] not in '_.']
    missing,unknown = sorted(set(found)-set(listed)),[p for p in listed if not (root/'nbs'/p).exists()]
    twice = sorted({p for p in listed if listed.count(p)>1})
    if missing or unknown or twice: sys.exit(f'nbs/sidebar.yml: not listed: {missing}, no such page: {unknown}, listed twice: {twice}')
    return sections

def front(nb):
    "The front matter that nbdev made of the first cell"
    return yaml.safe_load(''.join(nb['cells'][0]['source']).strip().strip('-'))

def links(md, pages):
    "`md` with links to notebooks, and to their pages on the web, as links between our pages; `pages` maps notebooks to names"
    def page(m):
        name,frag = pages.get(m[1], m[1].removesuffix('.html')),m[2] or ''
        return f']({name}.ipynb{frag})' if m[1] in pages or name in pages.values() else m[0]
    md = re.sub(r'\]\(([\w/]+\.ipynb)(#[^)\s]*)?\)', page, md)
    md = re.sub(rf'\]\({re.escape(host)}/(\w+\.html)(#[^)\s]*)?\)', page, md)
    md = re.sub(r'\[!\[([^]]*)\]\(https://colab[^)]*\)\](\(https://colab[^)]*\))', r'[\1]\2{.colab}', md) # the badge would be loaded from elsewhere
    return re.sub(r'\{target="_blank"[^}]*\}', '{.source}', md)

def fences(md, f):
    "Apply `f` to `md` outside of its code blocks, and take links out of these"
    parts = re.split(r'(^```.*?^```[^\S\n]*$)', md, flags=re.M|re.S)
    return ''.join(re.sub(r'\[(`[^`]+`)\]\(http[^)]*\)', r'\1', o) if i%2 else f(o) for i,o in enumerate(parts))

def docs_first(cells):
    "`cells` with each library cell after the `show_doc`s of all that it defines; nbdev puts one of them before it, and the others after"
    i = len(cells)-1
    while i>=0:
        text = ''.join(cells[i]['source'])
        while i+1<len(cells) and text.startswith('#| code-fold') and (m := re.search(r'^show_doc\((?:\w+\.)?(\w+)\)', ''.join(cells[i+1]['source']), re.M)) \
              and re.search(rf'^(def|class) {m[1]}\b', text, re.M): cells[i:i+2] = cells[i+1],cells[i]; i += 1
        i -= 1
    return cells

class Page:
    "One processed notebook on its way to Sphinx"
    def __init__(self, path, pages):
        self.nb,self.pages,self.level,self.docs = json.loads(path.read_text()),pages,1,[]
        meta = front(self.nb)
        self.title,self.about,self.file = meta['title'],meta.get('description', ''),path.name
        cells = [self.head(), *filter(None, map(self.cell, docs_first(self.nb['cells'][1:])))]
        for i,c in enumerate(cells): c.setdefault('id', f'page-{i}')
        self.nb = dict(cells=cells, nbformat=4, nbformat_minor=5, metadata=dict(kernelspec=dict(name='python3', display_name='python3'),
                       language_info=dict(name='python', pygments_lexer='ipython3'), myst=dict(html_meta=dict(description=self.about.replace('`', '')))))

    def markdown(self, text, **kwargs): return dict(cell_type='markdown', metadata={}, source=fences(text, lambda o: links(o, self.pages)), **kwargs)
    def head(self):
        edges = ' Code with an orange edge is the library, code with a blue one shows and tests it.'*any('code-fold' in ''.join(c['source']) for c in self.nb['cells'])
        return self.markdown(f'# {self.title}\n\n{{.lead}}\n{self.about}\n\n{{.notebook}}\nThis page is the notebook [{self.file}]({repo}/blob/{branch}/nbs/{self.file}).{edges}')

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
        meta = dict(tags=[t for k,t in (('echo','remove-input'), ('output','remove-output')) if said.get(k)=='false'] + ['library']*('code-fold' in said))
        if 'fig-alt' in said: meta['mystnb'] = dict(image=dict(alt=said['fig-alt'].strip('"\'')))
        code = re.sub(r'^#\|.*\n?', '', text, flags=re.M).strip('\n')
        if code: return dict(cell_type='code', id=c['id'], metadata=meta, source=code, execution_count=None, outputs=c['outputs'])

    def shown(self, c):
        "The cell of a `show_doc`: what it gave, as text of the page, with a heading one level below the last"
        md = '\n\n'.join(''.join(o['data'].get('text/markdown', '')) for o in c['outputs'] if 'data' in o).removeprefix('---\n')
        md = re.sub(r"<(?:class|function) '?(?:[\w<>]+\.)*(\w+)[^>]*>", r'\1', md) # in defaults
        md = re.sub(r'\(\s*after_create:NoneType=None.*?\)', '()', md, flags=re.S) # any callback has these, none of ours takes them
        md = re.sub(r'```python\ndef (?=[A-Z])', '```python\nclass ', md)
        self.docs.append(self.markdown(re.sub(r'^#+ ', '#'*min(3, self.level+1)+' ', md, count=1, flags=re.M), id=c['id']))
        return self.docs[-1]

def convert():
    "Write the pages that Sphinx reads"
    sections = sidebar()
    files = [p for _,ps in sections for p in ps]
    pages = {f: Path(front(json.loads((proc/f).read_text()))['output-file']).stem if f.endswith('.ipynb') else Path(f).stem for f in files}
    shutil.rmtree(src, ignore_errors=True); src.mkdir()
    for f in files:
        if f.endswith('.ipynb'):
            p = Page(proc/f, pages)
            if f=='index.ipynb': p.nb['cells'] += [p.markdown(o, id=f'toc-{i}') for i,o in enumerate(toctrees(sections, pages))]
            (src/f'{pages[f]}.ipynb').write_text(json.dumps(p.nb))
        else: shutil.copy(root/'nbs'/f, src)
    shutil.copytree(root/'nbs'/'images', src/'images', dirs_exist_ok=True)

def toctrees(sections, pages):
    "Sphinx's tables of contents, one for each section of the sidebar"
    for caption,ps in sections:
        entries = '\n'.join('Overview <self>' if p=='index.ipynb' else pages[p] for p in ps)
        yield f'```{{toctree}}\n:hidden:\n{f":caption: {caption}" if caption else ""}\n\n{entries}\n```'

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
                if url.startswith(host) and o.get('rel')!=['canonical']: bad.append((p, o[attr], 'is a page of this site: link to the notebook'))
                elif m := re.match(rf'{re.escape(repo)}/(?:blob|tree)/{branch}/([^#]+)$', url):
                    if not (root/m[1]).exists(): bad.append((p, o[attr], 'is not in the repository'))
                elif not u.scheme and not u.netloc:
                    to = (p.parent/unquote(u.path)).resolve() if u.path else p
                    if to.is_dir(): to = to/'index.html'
                    if not to.exists(): bad.append((p, o[attr], 'is dead'))
                    elif to in ids and unquote(frag) not in ids[to] and not o.get('class')==['skip-to-content']: bad.append((p, o[attr], 'has no such place on its page'))
                elif tag!='a' and o.get('rel')!=['canonical']: bad.append((p, o[attr], 'is loaded from elsewhere'))
        for o in s.find_all(string=lambda t: '](' in t):
            if not o.find_parent(('pre', 'code', 'script')): bad.append((p, str(o).strip()[:60], 'is a link that did not become one'))
        for o in s.find_all('img'):
            alt = o.get('alt', '')
            if len(alt)<20 or '_images' in alt: bad.append((p, o['src'][-40:], 'is a picture without alternative text: write `#| fig-alt: …` as the first line of its cell'))
    for p,what,why in bad: print(f'{p.relative_to(site)}: {what} {why}')
    print(f'{len(soups)} pages, {n} links, {len(bad)} faults')
    return not bad

def run(*args):
    if subprocess.run([str(o) for o in args], cwd=root).returncode: sys.exit(1)

if __name__=='__main__':
    if '--keep' not in sys.argv: # process anew
        run(sys.executable, '-W', 'ignore', '-c', 'from nbdev.quarto import refresh_quarto_yml; from nbdev.serve import proc_nbs; refresh_quarto_yml(); proc_nbs(force=True)')
    convert()
    shutil.rmtree(site, ignore_errors=True)
    run(sys.executable, '-m', 'sphinx', '-W', '--keep-going', '-q', '-b', 'html', '-d', src/'.doctrees', '-c', root/'docs', src, site)
    shutil.rmtree(root/'jupyter_execute', ignore_errors=True) # myst-nb's copies of the notebooks
    sys.exit(not check_links())
