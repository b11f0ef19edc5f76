"Sphinx's settings. `docs/build.py` writes the pages that it reads, from the notebooks."
import sys
from configparser import ConfigParser
from pathlib import Path

here = Path(__file__).parent
sys.path.insert(0, str(here))
cfg = ConfigParser(delimiters=['='])
cfg.read(here.parent/'settings.ini', encoding='utf-8')
cfg = cfg['DEFAULT']

project,author,release,language,copyright = cfg['title'],cfg['author'],cfg['version'],'en',cfg['copyright']
extensions = ['myst_nb', 'sphinx_copybutton', 'render']
html_theme,html_title,html_baseurl = 'furo',cfg['title'],f"{cfg['doc_host']}{cfg['doc_baseurl']}/"
html_static_path,html_css_files,html_favicon = ['static'],['tweaks.css'],'static/icon.svg'
html_theme_options = dict(footer_icons=[dict(name='GitHub', url=cfg['git_url'], html='GitHub', **{'class': ''})])
html_show_sourcelink,html_copy_source,html_show_sphinx = False,False,False
html_math_renderer = 'mathml'

nb_execution_mode = 'off' # outputs are those in the notebooks, which the tests run
nb_merge_streams = True
myst_enable_extensions = ['attrs_inline', 'attrs_block', 'dollarmath']
myst_heading_anchors,myst_heading_slug_func = 4,'render.slug'
