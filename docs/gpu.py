"""`make gpu PY=python3`: run every `#| cuda` cell of the notebooks, on a machine that has a GPU and PyTorch for it.

What else is needed is put into `.gpu`, without what it depends on: nothing of the machine is replaced, PyTorch least.
Each notebook with such a cell runs in a process of its own, from the top to its last `#| cuda` cell; slow cells are
left out. Cells without the flag are the CPU's, also here: fastai and new processes see no GPU while they run.
The results are in `nbs/proofs/gpu.csv`; `proofs/97_gpu.ipynb`, which measures, comes first."""
import ast, csv, importlib.util, json, os, re, shlex, signal, subprocess, sys, time, traceback, types
from pathlib import Path

root = Path(__file__).resolve().parent.parent
limit = 480 # seconds for all of it
columns = ['table','model','precision','case','against','figure','value','low','high','note']

# modules and what pip calls them; all but PyTorch, which must be there
needs = {o.split(':')[0]: o.split(':')[-1] for o in """
fastai:fastai>=2.8.7 fastcore fastprogress:fastprogress<1.1 fastdownload fasttransform plum:plum-dispatch<2.10 beartype
rich markdown_it:markdown-it-py mdurl pygments cloudpickle numpy pandas dateutil:python-dateutil six yaml:pyyaml
matplotlib contourpy cycler fontTools:fonttools kiwisolver pyparsing packaging PIL:pillow scipy sklearn:scikit-learn
joblib threadpoolctl narwhals requests urllib3 idna certifi charset_normalizer:charset-normalizer hypothesis
sortedcontainers""".split()}

def missing(needs):
    "What pip calls those of the modules `needs` that this Python does not have"
    return [req for mod,req in needs.items() if importlib.util.find_spec(mod) is None]

def install(reqs, folder):
    "Put `reqs` alone into `folder`; returns '', or what is missing and why"
    if not reqs: return ''
    pip = [sys.executable, *'-m pip install -q --no-deps --disable-pip-version-check --target'.split(), str(folder)]
    done = subprocess.run([*pip, *reqs], capture_output=True, text=True)
    if not done.returncode: return ''
    return (f'This machine lacks {", ".join(reqs)}, and pip could not get them:\n{done.stderr.strip()}\n'
            f'Without a network: fetch them elsewhere, `pip download --no-deps -d wheels {shlex.join(reqs)}`, '
            'bring the folder, and set PIP_NO_INDEX=1 PIP_FIND_LINKS=wheels.')

def flags(cell):
    "The directives of a code cell, such as `cuda`; of other cells none"
    if cell['cell_type']!='code': return set()
    return {m[1] for l in ''.join(cell['source']).splitlines() if (m := re.match(r'#\|\s*([\w-]+)', l))}

def to_run(nb):
    "The cells that run: all from the top to the last `#| cuda` cell but the slow ones; none if there is no such cell"
    last = max((i for i,c in enumerate(nb['cells']) if 'cuda' in flags(c)), default=-1)
    return [c for c in nb['cells'][:last+1] if c['cell_type']=='code' and not flags(c)&{'slow','eval'}]

def notebooks(folder):
    "The notebooks below `folder` that have `#| cuda` cells, the one that measures first"
    found = [p for p in folder.rglob('*.ipynb') if not any(o[0] in '._' for o in p.relative_to(folder).parts)]
    return sorted((p for p in found if to_run(json.loads(p.read_text()))), key=lambda p: (p.name!='97_gpu.ipynb', p))

def write(path, new_rows):
    "Append `new_rows`, each a dict of some of the `columns`, to the CSV `path`"
    new = not path.exists()
    with path.open('a', newline='') as f:
        out = csv.DictWriter(f, columns, restval='')
        if new: out.writeheader()
        out.writerows(new_rows)

def rows(path): return list(csv.DictReader(path.open(newline=''))) if path.exists() else []

def hide_gpu(hidden, visible=os.environ.get('CUDA_VISIBLE_DEVICES')):
    "For fastai and for new processes: no GPU from here on, or as it was"
    from fastai.torch_core import default_device
    default_device(False if hidden else None)
    if hidden: os.environ['CUDA_VISIBLE_DEVICES'] = ''
    elif visible is None: os.environ.pop('CUDA_VISIBLE_DEVICES', None)
    else: os.environ['CUDA_VISIBLE_DEVICES'] = visible

def run_cell(source, name, names):
    "Run a cell in the dictionary `names`; returns what went wrong, or ''. An import that fails does not stop the rest"
    wrong = []
    try: nodes = ast.parse(source).body
    except SyntaxError as e: return str(e)
    for node in nodes:
        code = compile(ast.Module([node], []), name, 'exec')
        try: exec(code, names)
        except ImportError as e: wrong.append(str(e))
        except Exception as e:
            line = next((o.lineno for o in reversed(traceback.extract_tb(e.__traceback__)) if o.filename==name), 1)
            said,text = ' '.join(str(e).split()),source.splitlines()[line-1].strip()
            return '; '.join([*wrong, f'line {line}, {text}: {type(e).__name__}: {said}'])
    return '; '.join(wrong)

def run(path, csv_path):
    "Run the notebook `path` here; writes a row for each `#| cuda` cell, and for others that fail"
    import torch
    if torch.cuda.is_available(): torch.cuda.init(); torch.cuda.device_count() # what this process sees stays as it is
    name = path.relative_to(path.parent.parent).as_posix()
    main = sys.modules['__main__'] = types.ModuleType('__main__') # where pickle looks for what a cell defines
    main.display = print
    os.chdir(path.parent)
    for cell in to_run(json.loads(path.read_text())):
        cuda,start = 'cuda' in flags(cell),time.perf_counter()
        hide_gpu(not cuda)
        wrong = run_cell(''.join(cell['source']), f'{name}#{cell["id"]}', vars(main))
        took = f'{time.perf_counter()-start:.0f}'
        if not (cuda or wrong): continue
        figure = 'seconds' if cuda else 'seconds, without the flag'
        write(csv_path, [dict(table='cell', model=name, case=cell['id'], figure=figure, value=took, note=wrong)])
        print(f'{name}#{cell["id"]}: {wrong or "passed"} ({took} s)', flush=True)

def run_all(paths, csv_path, limit, stdout=None):
    "Run each of `paths` in a new process, until `limit` seconds are over; returns the names of those that failed"
    end,failed = time.monotonic()+limit,[]
    for path in paths:
        left = max(end-time.monotonic(), 0)
        cmd = [sys.executable, __file__, str(path), str(csv_path)]
        child = subprocess.Popen(cmd, stdout=stdout, start_new_session=True)
        try: code = child.wait(left)
        except subprocess.TimeoutExpired: code = f'stopped after {left:.0f} s'
        finally:
            if child.poll() is None: os.killpg(child.pid, signal.SIGKILL) # and the processes that it has started
        cells = [o for o in rows(csv_path) if o['figure']=='seconds' and Path(o['model']).name==path.name]
        n = sum('cuda' in flags(c) for c in to_run(json.loads(path.read_text())))
        if code or len(cells)<n or any(o['note'] for o in cells): failed.append(path.name)
        if code: print(f'{path.name}: {code}', flush=True)
    return failed

def main():
    start,rehearsal = time.monotonic(),'--cpu' in sys.argv
    try: import torch
    except ImportError: return f'{sys.executable} has no PyTorch, which must be there. Pass another: make gpu PY=…'
    if not (rehearsal or torch.cuda.is_available()): return f'PyTorch {torch.__version__} sees no GPU here.'
    sys.path.append(str(root/'.gpu'))
    needs['torchvision'] = f'torchvision==0.{int(torch.__version__.split(".")[1])+15}.*' # 0.26 belongs to PyTorch 2.11
    if wrong := install(missing(needs), root/'.gpu'): return wrong
    os.environ |= {'PYTHONPATH': os.pathsep.join([str(root), str(root/'.gpu')]), 'MPLBACKEND': 'Agg'}
    new = root/'nbs/proofs/gpu.new.csv'
    new.unlink(missing_ok=True)
    os.environ['GPU_CSV'] = str(new)
    if rehearsal: os.environ['GPU_REHEARSAL'] = '1'
    failed = run_all(notebooks(root/'nbs'), new, limit-(time.monotonic()-start))
    measured = any(o['table']=='step' for o in rows(new))
    csv_path = new.rename(root/'nbs/proofs/gpu.csv') if measured and not rehearsal else new
    print(f'{csv_path.relative_to(root)}, after {time.monotonic()-start:.0f} s')
    return f'Failed: {", ".join(failed)}' if failed else 0

if __name__=='__main__':
    paths = [o for o in sys.argv[1:] if o[0]!='-']
    sys.exit(run(*map(Path, paths)) if paths else main())
