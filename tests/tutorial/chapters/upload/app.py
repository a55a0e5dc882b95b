"""Uploads: files from a form, saved under a safe name and sent back."""
# ruff: noqa: UP031

import hashlib
import os
import sys

from flask import Flask, redirect, render_template, request, send_from_directory, url_for
from werkzeug.utils import secure_filename

UPLOAD_FOLDER = os.path.join(os.getcwd(), "uploads")
ALLOWED_EXTENSIONS = {"txt", "pdf", "png", "jpg", "jpeg", "gif"}

app = Flask(__name__)
app.config["UPLOAD_FOLDER"] = UPLOAD_FOLDER
app.config["MAX_CONTENT_LENGTH"] = 3 * 1024 * 1024
os.makedirs(UPLOAD_FOLDER, exist_ok=True)


def allowed_file(filename):
    return "." in filename and filename.rsplit(".", 1)[1].lower() in ALLOWED_EXTENSIONS


@app.route("/", methods=["GET", "POST"])
def upload_file():
    if request.method == "POST":
        if "file" not in request.files:
            return redirect(request.url)
        file = request.files["file"]
        if file.filename == "":
            return "No selected file"
        if file and allowed_file(file.filename):
            filename = secure_filename(file.filename)
            file.save(os.path.join(app.config["UPLOAD_FOLDER"], filename))
            return redirect(url_for("uploaded_file", filename=filename))
        return "Not a file we take: %s" % secure_filename(file.filename), 400
    return render_template("upload.html", files=sorted(os.listdir(app.config["UPLOAD_FOLDER"])))


@app.route("/uploads/<path:filename>")
def uploaded_file(filename):
    return send_from_directory(app.config["UPLOAD_FOLDER"], filename)


@app.route("/download/<path:filename>")
def download_file(filename):
    folder = app.config["UPLOAD_FOLDER"]
    return send_from_directory(folder, filename, as_attachment=True, download_name="copy of é.txt")


@app.route("/required", methods=["POST"])
def required():
    return request.files["needed"].filename


@app.route("/many", methods=["POST"])
def many():
    described = []
    for file in request.files.getlist("files"):
        digest = hashlib.sha256(file.read()).hexdigest()
        described.append("%s %s %s %s" % (file.name, file.filename, file.mimetype, digest))
    described.append("title=%s" % request.form.get("title"))
    return "\n".join(described), {"Content-Type": "text/plain; charset=utf-8"}


@app.route("/size", methods=["POST"])
def size():
    """Files can be read in pieces, sought and read again."""
    file = request.files["file"]
    total = 0
    while chunk := file.stream.read(8192):
        total += len(chunk)
    file.seek(0)
    return "%d bytes, begins with %s" % (total, file.read(4).hex())


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(sys.argv[1]), debug=False)
