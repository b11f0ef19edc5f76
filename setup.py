"The package, as `settings.ini` describes it."
import re
from configparser import ConfigParser
from pathlib import Path
from setuptools import find_packages, setup

cfg = ConfigParser(delimiters=['='])
cfg.read(Path(__file__).parent/'settings.ini', encoding='utf-8')
cfg = cfg['DEFAULT']
minor = int(cfg['min_python'].split('.')[1])

# a package index does not have the files that the README links to: lead there
raw = cfg['git_url'].replace('github.com', 'raw.githubusercontent.com')
readme = Path('README.md').read_text(encoding='utf-8')
readme = re.sub(r'!\[([^]]*)\]\((?!https?:)', rf'![\1]({raw}/{cfg["branch"]}/', readme)
readme = re.sub(r'\]\((?!https?:|#)', f']({cfg["git_url"]}/blob/{cfg["branch"]}/', readme)

setup(
    name=cfg['lib_name'], version=cfg['version'], description=cfg['description'], keywords=cfg['keywords'],
    author=cfg['author'], author_email=cfg['author_email'], url=cfg['git_url'], license='Apache-2.0',
    long_description=readme, long_description_content_type='text/markdown',
    classifiers=['Development Status :: 3 - Alpha', 'Intended Audience :: Developers', 'Natural Language :: English',
                 *(f'Programming Language :: Python :: 3.{o}' for o in range(minor, 14))],
    packages=find_packages(include=['tweaks', 'tweaks.*']), package_data={'tweaks': ['py.typed']}, zip_safe=False,
    python_requires=f'>={cfg["min_python"]}', install_requires=cfg['requirements'].split(),
    extras_require={'dev': cfg['dev_requirements'].split(), 'bench': cfg['bench_requirements'].split()},
    entry_points={'console_scripts': cfg['console_scripts'].split(),
                  'nbdev': [f'{cfg["lib_name"]}={cfg["lib_path"]}._modidx:d']},
)
