package io.github.exporter.deblur.jvm

import io.github.exporter.deblur.core.Backend
import io.github.exporter.deblur.core.DiskModel
import io.github.exporter.deblur.core.Photographs
import io.github.exporter.deblur.core.RgbImage
import java.io.File

/** What RestoreMain does, by the bundle's Kotlin: the words are the same. */
fun main(words: Array<String>) {
    val (python, child, bundle, precision) = words
    val manifest = File(bundle, "manifest.json").readText()
    val name = File(bundle, "models").list()!!.first { it.endsWith(".$precision.tflite") }
    val file = DiskModel(File("$bundle/models/$name"))
    ProcessEngines(python, child).open(file, Backend.CPU, 2).use { engine ->
        val photographs = Photographs(manifest, precision, engine)
        for ((from, height, width, to) in words.drop(4).chunked(4)) {
            val picture = RgbImage(height.toInt(), width.toInt(), File(from).readBytes())
            val argb = IntArray(picture.height * picture.width).also(picture::toArgb)
            var last = 0
            val restored = photographs.restored(argb, picture.height, picture.width) { done, of ->
                last = of - done
                true
            }
            check(last == 0) { "the last tile was not announced" }
            File(to).writeBytes(restored.rgb)
        }
    }
}
