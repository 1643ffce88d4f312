"""TensorFlow's C library as a reader of exports, with no Python TensorFlow: what a server that is not ours would do.

Run as a script it reads a pickle, (path of the library, requests), each request (folder, inputs by their names in the
graph, names of the outputs there), and writes a pickle: of each request a list of arrays, or the error's message.
"""

from __future__ import annotations

import ctypes
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

FLOAT, INT32, STRING, BOOL = 1, 3, 7, 10  # TF_DataType
TYPES = {FLOAT: np.float32, INT32: np.int32, BOOL: np.bool_}
TSTRING_BYTES = 24
Pointer = ctypes.c_void_p


class Output(ctypes.Structure):
    """TF_Output: an operation and which of its outputs."""

    _fields_ = [("operation", Pointer), ("index", ctypes.c_int)]


class Buffer(ctypes.Structure):
    """TF_Buffer."""

    _fields_ = [("data", Pointer), ("length", ctypes.c_size_t), ("deallocator", Pointer)]


RETURNS: dict[str, Any] = {
    "TF_NewGraph": Pointer, "TF_NewStatus": Pointer, "TF_NewSessionOptions": Pointer, "TF_Message": ctypes.c_char_p,
    "TF_LoadSessionFromSavedModel": Pointer, "TF_GraphOperationByName": Pointer, "TF_AllocateTensor": Pointer,
    "TF_TensorData": Pointer, "TF_Dim": ctypes.c_int64, "TF_TensorByteSize": ctypes.c_size_t,
    "TF_StringGetDataPointer": Pointer, "TF_StringGetSize": ctypes.c_size_t, "TF_GetCode": ctypes.c_int,
    "TF_GetAllOpList": ctypes.POINTER(Buffer), "TF_TensorType": ctypes.c_int, "TF_NumDims": ctypes.c_int,
}  # fmt: skip


class Library:
    """The functions of the C library that are needed here; every pointer is a `Pointer`."""

    def __init__(self, path: str) -> None:
        self.library = ctypes.CDLL(path)
        self.sessions: dict[str, tuple[Any, Any]] = {}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function = getattr(self.library, name)
        function.restype = RETURNS.get(name)
        return function

    def operations(self) -> bytes:
        """Serialise the list of all operations, as an OpList."""
        buffer = self.TF_GetAllOpList().contents
        return ctypes.string_at(buffer.data, buffer.length)

    def session(self, folder: str) -> tuple[Any, Any]:
        """Load an export, once: its graph and session."""
        if folder not in self.sessions:
            graph, status = Pointer(self.TF_NewGraph()), Pointer(self.TF_NewStatus())
            tags = (ctypes.c_char_p * 1)(b"serve")
            options = Pointer(self.TF_NewSessionOptions())
            session = self.TF_LoadSessionFromSavedModel(options, None, folder.encode(), tags, 1, graph, None, status)
            self.check(status)
            self.sessions[folder] = graph, Pointer(session)
        return self.sessions[folder]

    def check(self, status: Any) -> None:
        """Raise what a status says."""
        if self.TF_GetCode(status):
            raise RuntimeError(self.TF_Message(status).decode("utf-8", "backslashreplace"))

    def run(self, folder: str, inputs: dict[str, np.ndarray], outputs: list[str]) -> list[np.ndarray]:
        """Ask an export."""
        graph, session = self.session(folder)
        fed = (Output * len(inputs))(*(self.output(graph, name) for name in inputs))
        values = (Pointer * len(inputs))(*(self.tensor(value) for value in inputs.values()))
        wanted = (Output * len(outputs))(*(self.output(graph, name) for name in outputs))
        found = (Pointer * len(outputs))()
        status = Pointer(self.TF_NewStatus())
        self.TF_SessionRun(session, None, fed, values, len(inputs), wanted, found, len(outputs), None, 0, None, status)
        for value in values:
            self.TF_DeleteTensor(Pointer(value))
        self.check(status)
        return [self.array(Pointer(value)) for value in found]

    def output(self, graph: Any, name: str) -> Output:
        operation, index = name.split(":")
        return Output(self.TF_GraphOperationByName(graph, operation.encode()), int(index))

    def tensor(self, array: np.ndarray) -> int:
        """Make a tensor of float32, int32 or bytes objects."""
        array = np.asarray(array)
        kind = {"f": FLOAT, "i": INT32, "O": STRING}[array.dtype.kind]
        size = TSTRING_BYTES * array.size if kind == STRING else array.nbytes
        dimensions = (ctypes.c_int64 * array.ndim)(*array.shape)
        tensor = self.TF_AllocateTensor(kind, dimensions, array.ndim, ctypes.c_size_t(size))
        data = self.TF_TensorData(Pointer(tensor))
        if kind != STRING:
            ctypes.memmove(data, np.ascontiguousarray(array, TYPES[kind]).ctypes.data, size)
        for i, text in enumerate(array.ravel() if kind == STRING else []):
            place = Pointer(data + i * TSTRING_BYTES)
            self.TF_StringInit(place)
            self.TF_StringCopy(place, text, ctypes.c_size_t(len(text)))
        return tensor

    def array(self, tensor: Any) -> np.ndarray:
        """Copy a tensor and delete it."""
        shape = [self.TF_Dim(tensor, i) for i in range(self.TF_NumDims(tensor))]
        kind, data = self.TF_TensorType(tensor), self.TF_TensorData(tensor)
        if kind == STRING:
            places = [Pointer(data + i * TSTRING_BYTES) for i in range(int(np.prod(shape)))]
            texts = [ctypes.string_at(self.TF_StringGetDataPointer(p), self.TF_StringGetSize(p)) for p in places]
            values = np.array(texts, object).reshape(shape)
        else:
            raw = ctypes.string_at(data, self.TF_TensorByteSize(tensor))
            values = np.frombuffer(raw, TYPES[kind]).reshape(shape)
        self.TF_DeleteTensor(tensor)
        return values


Names = dict[str, dict[str, dict[str, str]]]  # by signature: `inputs` and `outputs`, names in the graph by name
Request = tuple[Path, str, dict[str, np.ndarray]]  # folder, signature, inputs


def ask(requests: list[Request]) -> list[dict[str, np.ndarray] | str]:
    """Ask exports in a process of its own: outputs by name, or the error's message, of each request."""
    from tensorflow.core.protobuf import saved_model_pb2

    def names_of(folder: Path) -> Names:
        saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
        return {
            signature: {
                "inputs": {name: info.name for name, info in found.inputs.items()},
                "outputs": {name: info.name for name, info in found.outputs.items()},
            }
            for signature, found in saved.meta_graphs[0].signature_def.items()
        }

    names = {folder: names_of(folder) for folder in {folder for folder, _, _ in requests}}
    raw = [
        (
            str(folder),
            {names[folder][signature]["inputs"][name]: value for name, value in inputs.items()},
            list(names[folder][signature]["outputs"].values()),
        )
        for folder, signature, inputs in requests
    ]
    answers = _run(raw)
    return [
        answer if isinstance(answer, str) else dict(zip(names[folder][signature]["outputs"], answer, strict=True))
        for (folder, signature, _), answer in zip(requests, answers, strict=True)
    ]


def operations_of_the_library() -> set[str]:
    """Name all operations that the C library knows, before any Python registers its own."""
    from tensorflow.core.framework import op_def_pb2

    return {operation.name for operation in op_def_pb2.OpList.FromString(_run(None)).op}


def _run(requests: Any) -> Any:
    import tensorflow as tf

    library = next(Path(tf.__file__).parent.glob("libtensorflow_cc.*"))
    run = subprocess.run([sys.executable, __file__], input=pickle.dumps((str(library), requests)), capture_output=True)
    assert run.returncode == 0, run.stderr.decode()[-2_000:]
    return pickle.loads(run.stdout)


def main() -> None:
    """Answer the requests on standard input."""
    path, requests = pickle.load(sys.stdin.buffer)
    library = Library(path)
    answers: Any = library.operations() if requests is None else [answered(library, *request) for request in requests]
    assert "tensorflow" not in sys.modules
    sys.stdout.buffer.write(pickle.dumps(answers))


def answered(
    library: Library, folder: str, inputs: dict[str, np.ndarray], outputs: list[str]
) -> list[np.ndarray] | str:
    """Ask, and take an error for an answer."""
    try:
        return library.run(folder, inputs, outputs)
    except RuntimeError as error:
        return str(error)


if __name__ == "__main__":
    main()
